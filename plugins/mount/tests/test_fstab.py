"""fstab: the fields of our line become as declared, of all others each byte stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint_mount.fstab import Fields, find, with_line, without_lines

BLANKS = st.text(" \t", min_size=1, max_size=3)
WORDS = st.text("ab=/,\\040#\u00e9\"'", min_size=1, max_size=6)
POINTS = st.sampled_from(["/mnt", "/a b", "/mnt/x", "none"])


@st.composite
def lines(draw):
    sort = draw(st.sampled_from(["entry", "comment", "blank", "odd"]))
    if sort == "comment":
        return draw(st.sampled_from(["#", " # /dev/x /mnt auto", "#/dev/x /mnt auto"]))
    if sort == "blank":
        return draw(st.sampled_from(["", " ", "\t"]))
    if sort == "odd":
        return draw(st.sampled_from(["word", "caf\udce9", "\x0c"]))
    count = draw(st.integers(2, 7))
    point = draw(POINTS).replace(" ", "\\040")
    words = [draw(WORDS).lstrip("#") or "x", point, *(draw(WORDS) for _ in range(count - 2))]
    return draw(st.sampled_from(["", " "])) + "".join(w + draw(BLANKS) for w in words).rstrip()


texts = st.builds(
    lambda lines, end: "\n".join(lines) + end, st.lists(lines(), max_size=6), st.sampled_from(["", "\n", "\r\n"])
).map(lambda text: text.encode("utf-8", "surrogateescape"))  # fmt: skip
wanted = st.builds(
    Fields,
    device=st.sampled_from(["/dev/x", "UUID=1", "a b"]),
    point=st.sampled_from(["/mnt", "/a b"]),
    type=st.sampled_from(["", "ext4"]),
    options=st.sampled_from(["", "noatime,x=a b"]),
    dump=st.sampled_from(["", "0", "1"]),
    passno=st.sampled_from(["", "0", "2"]),
)


@given(texts, wanted)
def test_once_is_enough_and_other_lines_stay(data, wanted):
    after = with_line(data, wanted)
    assert not wanted.differs(find(after, wanted))
    assert with_line(after, wanted) == after
    old, new = data.split(b"\n"), after.split(b"\n")
    if find(data, wanted) is None:
        assert new[: len(old)] == old or new[: len(old) - 1] == old[:-1]
        assert len(new) - len(old) in (1, 2)
    else:
        assert len(new) == len(old)
        assert sum(a != b for a, b in zip(old, new, strict=True)) <= 1


@given(texts, wanted)
def test_what_is_taken_out_is_all_of_the_mount_point_and_nothing_else(data, wanted):
    after = without_lines(data, wanted.point)
    assert find(after, wanted) is None
    left = iter(data.split(b"\n"))
    assert all(line in left for line in after.rstrip(b"\n").split(b"\n") if line)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b"UUID=1\t/a\\040b\tauto\tdefaults\t0\t0\n"),
        (b"# x", b"# x\nUUID=1\t/a\\040b\tauto\tdefaults\t0\t0\n"),
        (b'UUID="1" /a\\040b  ext4 ro', b'UUID="1" /a\\040b  ext4 ro'),
        (b"UUID=2 /a\\040b  ext4 ro 1 2 ?\r\n", b"UUID=1 /a\\040b  ext4 ro 1 2 ?\r\n"),
    ],
)
def test_a_line_is_changed_where_it_differs(before, after):
    assert with_line(before, Fields("UUID=1", "/a b")) == after


def test_a_file_that_is_missing_gets_its_first_line():
    assert with_line(None, Fields("x", "/a", passno="2")) == b"x\t/a\tauto\tdefaults\t0\t2\n"
    assert without_lines(None, "/a") is None
