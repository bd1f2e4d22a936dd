"""Archives of all sorts, harmless and hostile, made byte by byte where no tool would."""

import bz2
import gzip
import io
import lzma
import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import zstandard

from setpoint.host import Host
from setpoint_archive import Archive

Make = Callable[..., Archive]

COMPRESSIONS = {
    "tar": lambda data: data,
    "tar.gz": gzip.compress,
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
    "tar.zst": lambda data: zstandard.ZstdCompressor().compress(data),
}


def entry(name: str, content: bytes | None = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    """Return a member of a tar; without content a directory, unless `fields` say what it is."""
    info = tarfile.TarInfo(name)
    info.mode = 0o644
    if content is None:
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    for field, value in fields.items():
        setattr(info, field, value)
    info.size = fields.get("size", len(content or b""))
    return info, content or b""


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, type=tarfile.SYMTYPE, linkname=target)


def hard(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, type=tarfile.LNKTYPE, linkname=target)


def tar(*entries: tuple[tarfile.TarInfo, bytes], form: str = "tar") -> bytes:
    """Return a tar of `entries`, compressed as `form` says."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return COMPRESSIONS[form](data.getvalue())


def zipped(*entries: tuple[str, bytes], mode: int = 0, **fields: Any) -> bytes:
    """Return a zip of `entries`; `mode` and `fields` are those of all of them."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            for field, value in fields.items():
                setattr(info, field, value)
            archive.writestr(info, content)
    return data.getvalue()


def bare(name: bytes, size: int = 0, type_: bytes = b"0", data: bytes = b"") -> bytes:
    """Return a member of a tar that no tool would make; `size` is what it claims to have."""
    header = struct.pack(
        "100s8s8s8s12s12s8s1s100s6s2s247x",
        name,
        b"0000644",
        b"0000000",
        b"0000000",
        b"%011o" % size,
        b"00000000000",
        b" " * 8,
        type_,
        b"",
        b"ustar\0",
        b"00",
    )
    header = header.replace(b" " * 8, b"%06o\0 " % sum(header), 1)
    return header + data.ljust(-(-len(data) // 512) * 512, b"\0")


END = bytes(1024)


def pax(**fields: str) -> bytes:
    """Return a header of the pax format that goes before a member."""
    records = b""
    for key, value in fields.items():
        rest = f" {key}={value}\n".encode()
        length = len(rest)
        while length != len(rest) + len(str(length)):
            length = len(rest) + len(str(length))
        records += str(length).encode() + rest
    return bare(b"pax", len(records), b"x", records)


def patched_zip(old: bytes, new: bytes, data: bytes) -> bytes:
    """Return a zip with a name in it replaced, of the same length."""
    assert len(old) == len(new)
    assert old in data
    return data.replace(old, new)


ZEROS = bytes(1 << 20)
LINK = stat.S_IFLNK | 0o777
EVIL = ("../evil", b"evil")

HOSTILE: dict[str, Callable[[], bytes]] = {
    # names
    "absolute": lambda: tar(entry("/evil", b"evil")),
    "several slashes": lambda: tar(entry("///evil", b"evil")),
    "parent": lambda: tar(entry("../evil", b"evil")),
    "parent in the middle": lambda: tar(entry("a/../../evil", b"evil")),
    "parent at the end": lambda: tar(entry("a/..", None)),
    "parent behind a dot": lambda: tar(entry("./../evil", b"evil")),
    "parent that stays inside": lambda: tar(entry("a/../b", b"evil")),
    "directory outside": lambda: tar(entry("../evil", None)),
    "good ones first": lambda: tar(entry("good", b"good"), entry("../evil", b"evil")),
    "pax path": lambda: pax(path="../evil") + bare(b"good") + END,
    "pax path with NUL": lambda: pax(path="a\0b") + bare(b"good") + END,
    "long name of GNU": lambda: bare(b"l", 8, b"L", b"../evil\0") + bare(b"good") + END,
    "longest name": lambda: tar(entry("x" * 300, b"evil")),
    "longest path": lambda: tar(entry("/".join(["abcd"] * 1000), b"evil")),
    # links
    "absolute link": lambda: tar(link("a", "/etc/passwd")),
    "link to the parent": lambda: tar(link("a", "..")),
    "link far out": lambda: tar(link("a/b", "../../evil")),
    "link with a parent behind a name": lambda: tar(link("a", "b/../../evil")),
    "link by a link": lambda: tar(
        entry("a/b/c", None), link("a/b/c/s", "../../.."), link("t", "a/b/c/s/..")
    ),
    "write through a link": lambda: tar(link("a", "."), entry("a/evil", b"evil")),
    "write through a link out": lambda: tar(link("a", "../"), entry("a/evil", b"evil")),
    "write through a deep link": lambda: tar(
        entry("b", None), link("b/a", "."), entry("b/a/c/evil", b"evil")
    ),
    "directory in the place of a link": lambda: tar(link("a", "."), entry("a", None)),
    "empty link": lambda: tar(link("a", "")),
    "hard link outside": lambda: tar(hard("a", "../../etc/passwd")),
    "absolute hard link": lambda: tar(hard("a", "/etc/passwd")),
    "hard link to nothing before": lambda: tar(hard("a", "b"), entry("b", b"x")),
    "hard link to a link": lambda: tar(link("a", "b"), hard("c", "a")),
    "hard link to a directory": lambda: tar(entry("a", None), hard("c", "a")),
    "pax link": lambda: pax(linkpath="/etc/passwd") + bare(b"a", type_=b"2") + END,
    # what is no file
    "character device": lambda: tar(entry("a", type=tarfile.CHRTYPE, devmajor=1, devminor=1)),
    "block device": lambda: tar(entry("a", type=tarfile.BLKTYPE, devmajor=8)),
    "pipe": lambda: tar(entry("a", type=tarfile.FIFOTYPE)),
    "unknown type": lambda: bare(b"a", type_=b"Z") + bare(b"b", type_=b"3") + END,
    "file behind a file": lambda: tar(entry("a", b"x"), entry("a/b", b"x")),
    "file in the place of a directory": lambda: tar(entry("a/b", b"x"), entry("a", b"x")),
    # damage
    "nothing": lambda: b"",
    "text": lambda: b"this is no archive\n" * 100,
    "truncated": lambda: tar(entry("a", ZEROS))[:10000],
    "truncated gzip": lambda: tar(entry("a", os.urandom(10000)), form="tar.gz")[:5000],
    "truncated xz": lambda: tar(entry("a", os.urandom(10000)), form="tar.xz")[:5000],
    "truncated zstd": lambda: tar(entry("a", os.urandom(10000)), form="tar.zst")[:5000],
    "damaged in the middle": lambda: tar(entry("a", b"x")).rstrip(b"\0") + b"?" * 2000,
    "wrong sum in gzip": lambda: tar(entry("a", b"x"), form="tar.gz")[:-8] + b"12345678",
    "truncated zip": lambda: zipped(("a", ZEROS))[:-30],
    "negative size": lambda: bare(b"a").replace(b"00000000000", b"\xff" * 11, 1) + END,
    # bombs
    "bomb in gzip": lambda: tar(entry("a", ZEROS * 20), form="tar.gz"),
    "bomb in zstd": lambda: tar(entry("a", ZEROS * 20), form="tar.zst"),
    "bomb in zip": lambda: zipped(("a", ZEROS * 20)),
    "bomb of many files": lambda: zipped(*((f"a{i}", ZEROS) for i in range(12))),
    "sparse bomb": lambda: (
        pax(**{"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9" * 18})
        + bare(b"a", 512, data=b"0\n")
        + END
    ),
    "huge header": lambda: gzip.compress(
        bare(b"l", 1 << 32, b"L") + ZEROS * 2 + bare(b"good") + END
    ),
    "huge pax header": lambda: bare(b"p", 1 << 33, b"x") + END,
    "headers upon headers": lambda: pax(comment="x") * 2000 + bare(b"good") + END,
    "memory for xz": lambda: lzma.compress(
        tar(entry("a", b"x")),
        filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}],
    ),
    # zip
    "zip: absolute": lambda: zipped(("/evil", b"evil")),
    "zip: parent": lambda: zipped(EVIL),
    "zip: backslashes": lambda: zipped(("..\\..\\evil", b"evil")),
    "zip: drive": lambda: zipped(("C:\\evil", b"evil")),
    "zip: NUL": lambda: patched_zip(b"aXb", b"a\0b", zipped(("aXb", b"evil"))),
    "zip: link out": lambda: zipped(("a", b"/etc/passwd"), mode=LINK),
    "zip: through a link": lambda: _two_zipped(("a", b".", LINK), ("a/evil", b"evil", 0)),
    "zip: device": lambda: zipped(("a", b""), mode=stat.S_IFCHR | 0o666),
    "zip: encrypted": lambda: _encrypted(zipped(("a", b"x" * 20))),
    "zip: unknown method": lambda: zipped(("a", b"x" * 20)).replace(b"\x08\0", b"\x63\0"),
}


def _two_zipped(*entries: tuple[str, bytes, int]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content, mode in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, content)
    return data.getvalue()


def _encrypted(data: bytes) -> bytes:
    """Set the flag that says so, in both headers."""
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = data.index(mark) + offset
        data = data[:at] + b"\1\0" + data[at + 2 :]
    return data


@pytest.fixture(params=HOSTILE)
def hostile(request: pytest.FixtureRequest) -> bytes:
    """One archive of the corpus after the other."""
    return HOSTILE[request.param]()


@pytest.fixture
def build() -> SimpleNamespace:
    """What makes archives."""
    return SimpleNamespace(
        tar=tar, zipped=zipped, entry=entry, link=link, hard=hard, forms=list(COMPRESSIONS)
    )


@pytest.fixture
def make(host: Host, tmp_path: Path) -> Make:
    """Declares an archive of some bytes, to be extracted into a directory `out`."""

    def made(data: bytes, **params: Any) -> Archive:
        source = tmp_path / "archive"
        source.write_bytes(data)
        values = {"path": str(tmp_path / "out"), "source": str(source), **params}
        return Archive("it", **values, _host=host)

    return made
