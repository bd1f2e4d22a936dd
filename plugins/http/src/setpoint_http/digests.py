"""Digests of what is downloaded: how people write them down, and how they are made."""

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

from setpoint import ParamError, Refused
from setpoint.errors import suggest

LENGTHS = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}
OF_LENGTH = {length: algorithm for algorithm, length in LENGTHS.items()}
SHA256 = "sha256"
BRIEF = 16  # hexadecimal digits that a difference shows
MOST_NAMES = 5  # of a checksum file, that a message shows

_HEX = re.compile(r"[0-9a-f]+")
_GNU = re.compile(r"\\?([0-9A-Fa-f]{32,128})(?: [ *](.+))?")
_BSD = re.compile(r"([\w-]+) ?\((.+)\) ?= ?([0-9A-Fa-f]{32,128})")


class Digest(NamedTuple):
    """A digest: how it is made, and what it is, in lower-case hexadecimal."""

    algorithm: str
    value: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.value}"

    @property
    def brief(self) -> str:
        """It in words of one line, for who compares by the eye."""
        return f"{self.algorithm} {self.value[:BRIEF]}"


def parse(param: str, text: str) -> Digest:
    """Return the digest that a person wrote for `param`: "sha512:0f3a...".

    Raises:
        ParamError: it is none.

    """
    algorithm, colon, value = text.partition(":")
    if not colon:
        raise ParamError(param, f"must be like sha256:HEX or a URL, not {text!r}")
    if algorithm not in LENGTHS:
        cure = suggest(algorithm, LENGTHS)
        raise ParamError(param, f"must be of a known algorithm, not {algorithm!r}", cure)
    value, length = value.lower(), LENGTHS[algorithm]
    if len(value) != length or not _HEX.fullmatch(value):
        rule = f"must have {length} hexadecimal digits for {algorithm}, not {value!r}"
        raise ParamError(param, rule)
    return Digest(algorithm, value)


def find(text: str, names: Collection[str], where: str) -> Digest:
    """Return the digest that a checksum file holds for one of `names`, or the only one that it holds.

    Args:
        text: of the checksum file, as sha256sum(1) or the BSD tools write it, or a bare digest.
        names: what the file may be called in there, without folders.
        where: the checksum file, for messages.

    Raises:
        Refused: it holds none for it.

    """
    found = [entry for line in text.splitlines() if (entry := _entry(line.strip()))]
    for name, digest in found:
        if name.rpartition("/")[2] in names:
            return digest
    if len(found) == 1 and not found[0][0]:
        return found[0][1]
    wanted = " or ".join(map(repr, names))
    if not found:
        raise Refused(f"{where} holds no digest", "it must look like the output of sha256sum")
    held = ", ".join(repr(name) for name, _ in found[:MOST_NAMES])
    more = f" and {len(found) - MOST_NAMES} more" if len(found) > MOST_NAMES else ""
    raise Refused(f"{where} holds no digest of {wanted}", f"it has {held}{more}")


def _entry(line: str) -> tuple[str, Digest] | None:
    """Return the name and the digest in a line of a checksum file; None if there is none."""
    if bsd := _BSD.fullmatch(line):
        algorithm, name, value = bsd[1].lower().replace("-", ""), bsd[2], bsd[3].lower()
        fits = LENGTHS.get(algorithm) == len(value)
        return (name, Digest(algorithm, value)) if fits else None
    if (gnu := _GNU.fullmatch(line)) and len(gnu[1]) in OF_LENGTH:
        return gnu[2] or "", Digest(OF_LENGTH[len(gnu[1])], gnu[1].lower())
    return None


class Hashes:
    """Digests of bytes that come piece by piece; always SHA-256, and others if asked for."""

    def __init__(self, others: Iterable[str] = ()) -> None:
        import hashlib

        wanted = dict.fromkeys((SHA256, *others))
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in wanted}

    def add(self, piece: bytes) -> None:
        """Take the next bytes into account."""
        for made in self._hashes.values():
            made.update(piece)

    def digests(self) -> dict[str, str]:
        """Return the digests so far, by algorithm."""
        return {name: made.hexdigest() for name, made in self._hashes.items()}
