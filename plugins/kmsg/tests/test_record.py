"""What the kernel writes of a record, taken apart; and what is missing between two of them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint_kmsg.buffer import Gap, Track
from setpoint_kmsg.record import LONGEST, Record, Selection, parse, plain, sequence_of

LINE = b"6,339,5140900,-;NET: Registered PF_INET6 protocol family\n"
DEVICE = b"""4,1235,98765432100,-,caller=T7;usb 1-1: it broke\\x0atwice\n SUBSYSTEM=usb\n DEVICE=c189:1\n"""


def test_a_record_of_the_kernel():
    record = parse(LINE)
    assert record == Record(6, 339, 5_140_900, "NET: Registered PF_INET6 protocol family", {})
    assert (record.level, record.facility) == ("info", "kern")


def test_a_record_about_a_device_with_what_later_kernels_add():
    record = parse(DEVICE)
    assert (record.sequence, record.text) == (1235, "usb 1-1: it broke\ntwice")
    assert record.properties == {"SUBSYSTEM": "usb", "DEVICE": "c189:1"}


@pytest.mark.parametrize(
    ("priority", "names"),
    [
        (0, ("emerg", "kern")),
        (14, ("info", "user")),
        (191, ("debug", "local7")),
        (300, ("warning", "37")),
    ],
)
def test_level_and_facility_have_names_as_far_as_there_are_any(priority, names):
    record = parse(b"%d,1,1,-;x\n" % priority)
    assert (record.level, record.facility) == names


def test_the_number_alone_is_read_without_the_rest():
    assert (sequence_of(LINE), sequence_of(DEVICE)) == (339, 1235)


def test_bytes_that_are_no_text_stay_visible():
    assert plain(rb"\xc3\xa4 \xff \x5cx41 a;b,c") == "ä \\xff \\x41 a;b,c"


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_what_the_kernel_escapes_comes_back(text):
    # As in the kernel's record_print_text for /dev/kmsg: not printable, not ASCII, or a backslash.
    escaped = b"".join(
        bytes([byte]) if 32 <= byte < 127 and byte != 92 else b"\\x%02x" % byte
        for byte in text.encode()
    )
    assert plain(escaped) == text


def test_an_expression_is_searched_in_a_bounded_part_of_the_text():
    record = Record(6, 1, 1, "x" * LONGEST + "end", {})
    assert not Selection(re.compile("end")).match(record)
    assert Selection(re.compile("x+$")).match(record)


class TestTrack:
    def take(self, track, *sequences):
        return [number for number in sequences if track.take(number)]

    def test_what_was_taken_is_not_taken_again(self):
        track = Track()
        assert self.take(track, 5, 6, 5, 6, 7) == [5, 6, 7]
        assert (track.missed, track.tell()) == (0, None)

    def test_what_is_missing_is_counted_and_told_once(self):
        track = Track()
        self.take(track, 5, 9)
        assert (track.missed, track.tell()) == (3, Gap(6, 8, 3))
        assert track.tell() is None

    def test_two_gaps_are_told_as_one_that_says_how_many_are_missing(self):
        track = Track()
        self.take(track, 5, 9, 10, 12)
        assert track.tell() == Gap(6, 11, 4)

    def test_what_is_missing_before_the_first_is_none_of_its_business(self):
        track = Track()
        self.take(track, 90)
        assert track.missed == 0

    def test_after_a_restart_old_ones_are_taken_but_only_what_was_not_known_is_missed(self):
        track = Track(begin=10, known=50)
        assert self.take(track, 5, 20, 30, 60) == [20, 30, 60]
        assert track.tell() == Gap(50, 59, 10)
        assert track.known == 61

    def test_before_it_has_taken_anything_it_knows_what_it_knew(self):
        assert Track(begin=10, known=50).known == 50

    @given(st.sets(st.integers(0, 60), min_size=1), st.integers(0, 60), st.integers(0, 60))
    def test_each_number_from_where_it_was_is_taken_or_missed(self, there, begin, known):
        track = Track(begin, known)
        taken = self.take(track, *sorted(there), *sorted(there))
        assert taken == sorted(number for number in there if number >= begin)
        last = max(taken, default=-1)
        wanted = set(range(max(begin, known), last + 1))
        assert track.missed == len(wanted - there)

    def test_a_gap_says_how_many_and_which(self):
        text = "missed 1,204 kernel messages, sequence 7 to 1210: overwritten before they were read"
        assert str(Gap(7, 1210, 1204)) == text
