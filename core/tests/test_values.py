"""Secrets are taken out of text in whichever way they are written there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint import Secret
from setpoint.hiding import Secrets

ODD = st.text("012 '\"\\\n\t\x00ü", min_size=8, max_size=30).filter(lambda t: len(t.strip()) > 7)


def known(*values: object) -> Secrets:
    secrets = Secrets()
    for value in values:
        secrets.learn(value)
    return secrets


@given(st.lists(ODD, min_size=1, max_size=4), st.sampled_from([str, repr, str.strip]))
def test_no_secret_is_left_however_it_is_written(values: list[str], written: object) -> None:
    text = known(*values).text(" and ".join(map(written, values)))  # type: ignore[call-overload]
    for value in values:
        assert value.strip() not in text
        assert repr(value.strip())[1:-1] not in text


def test_a_secret_with_another_one_in_it_goes_as_a_whole() -> None:
    assert known("abcd", "abcdefgh", "efgh").text("abcdefgh abcd") == "(secret) (secret)"
    assert known("abcdefgh", "abcd", "efgh").text("abcdefgh abcd") == "(secret) (secret)"


def test_each_line_of_a_secret_is_one() -> None:
    assert known("first line\nsecond line\n").text("found: second line") == "found: (secret)"


def test_what_is_too_short_is_left() -> None:
    assert known("abc", "", 7).text("abc 7") == "abc 7"


@pytest.mark.parametrize(
    "value", ["so hunter22", b"hunter22", ["hunter22"], {"hunter22": 1}, Secret("x"), ("hunter22",)]
)
def test_a_secret_is_seen_in_what_is_shown_of_a_value(value: object) -> None:
    assert known(Secret("hunter22")).are_in(value) is not isinstance(value, Secret)
    assert not known().are_in(value)


def test_a_value_that_cannot_be_shown_has_none() -> None:
    class Unspeakable:
        def __repr__(self) -> str:
            raise RuntimeError("not even that")

    assert not known("hunter22").are_in(Unspeakable())
