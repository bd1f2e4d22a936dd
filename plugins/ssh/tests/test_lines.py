"""The lines of a file of authorized keys: taken apart as sshd does it, and nothing else touched."""

import base64
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from setpoint_ssh.keys import FLAGS, TYPES, WITH_VALUES, fingerprint, type_of
from setpoint_ssh.lines import Entry, Wanted, meant, parse, put, take_out, write


def key(number: int = 1, type_: str = "ssh-ed25519") -> str:
    """Return a key that is well made."""
    parts = (type_.encode(), bytes([number]) * 32)
    blob = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    return base64.b64encode(blob).decode()


KEY, OTHER = key(1), key(2)
WANTED = Wanted(None, "ssh-ed25519", KEY, "ann@laptop")
LINE = f"ssh-ed25519 {KEY} ann@laptop".encode()


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        (f"ssh-ed25519 {KEY}", Entry((), "ssh-ed25519", KEY, "")),
        (f"\tssh-ed25519\t {KEY}  ann  b \r", Entry((), "ssh-ed25519", KEY, "ann  b")),
        (f"no-pty ssh-ed25519 {KEY} x", Entry(("no-pty",), "ssh-ed25519", KEY, "x")),
        (
            f'command="a, \\"b\\" c",from="1.2.3.*",PTY  ssh-ed25519 {KEY} x',
            Entry(('command="a, \\"b\\" c"', 'from="1.2.3.*"', "PTY"), "ssh-ed25519", KEY, "x"),
        ),
        (f'command="ssh-ed25519 {OTHER}" ssh-ed25519 {KEY} x',
         Entry((f'command="ssh-ed25519 {OTHER}"',), "ssh-ed25519", KEY, "x")),
    ],
)  # fmt: skip
def test_a_line_is_taken_apart(line: str, entry: Entry) -> None:
    assert parse(line.encode()) == entry


@pytest.mark.parametrize(
    "line",
    [
        "", "   ", "# comment", f"# ssh-ed25519 {KEY}", "ssh-ed25519", f"ssh-rsa {KEY} wrong type",
        f"ssh-ed25519 {KEY[:-4]} cut", f'command="open ssh-ed25519 {KEY}', "\x00\xff", "ssh-ed25519 ====",
        f",no-pty ssh-ed25519 {KEY}", f"no-pty,,pty ssh-ed25519 {KEY}", f"ssh-ed25519{KEY}",
    ],
)  # fmt: skip
def test_what_has_no_key_is_nothing_of_ours(line: str) -> None:
    assert parse(line.encode("latin-1")) is None


letters = st.characters(codec="utf-8", exclude_characters='"\\\n\r\0')
values = st.lists(st.one_of(st.sampled_from(['\\"', " ", ",", "\\ ", "="]), letters)).map("".join)
options = st.lists(
    st.one_of(
        st.sampled_from(sorted(FLAGS)),
        st.builds('{}="{}"'.format, st.sampled_from(sorted(WITH_VALUES)), values),
    ),
    max_size=4,
).map(tuple)
comments = st.text(st.characters(codec="utf-8", exclude_characters="\n\0"), max_size=20).map(
    lambda text: text.strip(" \t\r")
)
types = st.sampled_from(sorted(TYPES))
entries = st.builds(
    lambda options, type_, number, comment: Entry(options, type_, key(number, type_), comment),
    options, types, st.integers(0, 9), comments,
)  # fmt: skip
junk = st.one_of(
    st.binary(max_size=60).map(lambda data: data.replace(b"\n", b"")),
    st.sampled_from([b"", b"# comment", LINE[:-30], b'command="x ' + LINE, b"  no-pty " + LINE]),
    entries.map(write),
)


@given(entries)
def test_what_was_written_is_read(entry: Entry) -> None:
    assert parse(write(entry)) == entry


@settings(max_examples=200)
@given(st.lists(junk, max_size=6), st.booleans())
def test_other_lines_stay_byte_for_byte(lines: list[bytes], has_end: bool) -> None:
    data = b"\n".join(lines) + (b"\n" if has_end else b"")
    others = [line for line in data.split(b"\n") if line and not WANTED.is_meant(parse(line))]
    after = put(data, WANTED)
    assert [
        line for line in after.split(b"\n") if line and not WANTED.is_meant(parse(line))
    ] == others
    (entry,) = meant(after, WANTED)
    assert write(entry).endswith(LINE)
    assert put(after, WANTED) == after
    out = take_out(after, WANTED)
    assert out is not None
    assert [line for line in out.split(b"\n") if line] == others
    assert take_out(out, WANTED) is out


@settings(max_examples=20, deadline=None)
@given(st.lists(entries, min_size=1, max_size=5))
def test_ssh_keygen_reads_the_same_keys(
    tmp_path_factory: pytest.TempPathFactory, entries: list[Entry]
) -> None:
    entries = [entry for entry in entries if entry.type == "ssh-ed25519"] or [parse(LINE)]  # type: ignore[list-item]
    path = tmp_path_factory.mktemp("keys") / "authorized_keys"
    path.write_bytes(b"".join(write(entry) + b"\n" for entry in entries))
    said = subprocess.run(["ssh-keygen", "-lf", path], capture_output=True, check=True).stdout
    found = [line.split()[1].decode() for line in said.splitlines()]
    assert found == [fingerprint(entry.key) for entry in entries]


def test_the_first_line_that_is_meant_is_left_where_it_was() -> None:
    data = b"\n".join((b"# one", f"no-pty ssh-ed25519 {KEY} old".encode(), b"x", LINE, b""))
    kept = f"no-pty ssh-ed25519 {KEY} ann@laptop".encode()
    assert put(data, WANTED) == b"\n".join((b"# one", kept, b"x", b""))
    strict = WANTED._replace(options=())
    assert put(data, strict) == b"\n".join((b"# one", LINE, b"x", b""))


def test_another_key_of_the_same_comment_is_replaced() -> None:
    data = f"ssh-ed25519 {OTHER} ann@laptop\n".encode()
    assert put(data, WANTED) == LINE + b"\n"


def test_a_last_line_without_an_end_is_not_joined() -> None:
    assert put(b"# last", WANTED) == b"# last\n" + LINE + b"\n"
    assert put(None, WANTED) == put(b"", WANTED) == LINE + b"\n"
    assert take_out(None, WANTED) is None


def test_the_type_is_that_in_the_key(tmp_path: Path) -> None:
    for type_ in ("ed25519", "rsa", "ecdsa"):
        path = tmp_path / type_
        subprocess.run(["ssh-keygen", "-q", "-t", type_, "-N", "", "-f", path], check=True)
        name, made = path.with_suffix(".pub").read_text().split()[:2]
        assert type_of(made) == name
        assert type_of(made[:-8]) is None
    assert type_of("nonsense") is type_of("") is type_of("ä") is None
