"""Which params of an archive go together, checked before anything is looked at."""

import re
from typing import TYPE_CHECKING

from setpoint import ParamError
from setpoint.errors import suggest

if TYPE_CHECKING:
    from setpoint_archive import Archive

SUFFIXES = {
    ".tar": "",
    ".tar.gz": "gz",
    ".tgz": "gz",
    ".tar.bz2": "bz2",
    ".tbz2": "bz2",
    ".tar.xz": "xz",
    ".txz": "xz",
    ".tar.zst": "zst",
    ".tzst": "zst",
    ".zip": "zip",
}
DIGESTS = {64: "sha256", 128: "sha512"}
_ONLY_EXTRACTING = {"strip": 0, "creates": "", "checksum": "", "purge": False}


def validate(archive: "Archive") -> None:
    """See that the params of `archive` go together; one that is still to be received counts as right.

    Raises:
        ParamError: two do not, or one is not what it may be.

    """
    for param in ("path", "source", "creates"):
        value = getattr(archive, param)
        if param == "path":
            value = value if value != "" else archive.name
        if isinstance(value, str) and (param != "creates" or value):
            _require_absolute(param, value)
    if archive.mode and not re.fullmatch("0?[67][0-7]{2}", archive.mode):
        raise ParamError("mode", f"must be from 0600 to 0777, not {archive.mode!r}", 'write "0644"')
    if archive.checksum and not digest_of(archive.checksum):
        rule = f"must be 64 or 128 hexadecimal digits, not {archive.checksum!r}"
        raise ParamError("checksum", rule, "write a SHA-256 or a SHA-512")
    if archive.create is True:
        _validate_creating(archive)
    elif archive.mtime:
        raise ParamError("mtime", "needs create: what is extracted has times of its own")


def format_of(path: str) -> str:
    """Return how the archive at `path` is to be made: "zip", or the compression of a tar, empty for none.

    Raises:
        ParamError: its name does not tell.

    """
    name = path.rpartition("/")[2]
    for suffix, form in sorted(SUFFIXES.items(), key=lambda item: -len(item[0])):
        if name.endswith(suffix) and name != suffix:
            return form
    rule = f"must end in {', '.join(SUFFIXES)} to be made, not {name!r}"
    raise ParamError("path", rule, suggest(name[name.find(".") :], SUFFIXES))


def digest_of(checksum: str) -> tuple[str, str] | None:
    """Return the algorithm of `checksum` and its digits, in lower case; None if it is none."""
    name, _, digits = checksum.lower().rpartition(":")
    algorithm = DIGESTS.get(len(digits), "")
    if name in ("", algorithm) and algorithm and re.fullmatch("[0-9a-f]+", digits):
        return algorithm, digits
    return None


def _require_absolute(param: str, path: str) -> None:
    if not path.startswith("/") or "\0" in path or re.search(r"/\.\.?(/|$)", path):
        raise ParamError(param, f"must be an absolute path without . and .., not {path!r}")


def _validate_creating(archive: "Archive") -> None:
    for param, empty in _ONLY_EXTRACTING.items():
        if getattr(archive, param) != empty:
            raise ParamError(param, "does not go with create", "remove one of them")
    if isinstance(archive.path, str):
        format_of(archive.at)
    if isinstance(archive.source, str) and f"{archive.at}/".startswith(
        f"{archive.source.rstrip('/')}/"
    ):
        raise ParamError("source", f"must not hold the archive itself, as {archive.source!r} does")
