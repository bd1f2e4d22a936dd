"""What somebody wrote and where: trees of values that remember the place of each key and value.

A place is one int, the number of characters before it: a graph of 100,000 resources has a million of them, and only
those with a problem are ever made a line and a column.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import accumulate
from typing import Any, TypeVar

from setpoint.errors import Place, Problem
from setpoint.expressions import OPEN

T = TypeVar("T")
SHOWN = 200  # characters; a longer line is not shown under a message
NEAR = 100  # characters that may stand before a line of a value: its indentation, a quote, the head of a block

_LINE = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what YAML counts as a line break


class Map(dict[str, Any]):
    """A map with the places of its keys and values; made by `new`.

    at: its own place.
    places: the place of each key and then of its value, in the order of the map.
    """

    __slots__ = ("at", "places")

    at: int
    places: list[int]

    @classmethod
    def new(cls, at: int = 0) -> "Map":
        """Return an empty map that is written at the place `at`."""
        made = cls()  # an __init__ of Python's would cost more than all the rest
        made.at, made.places = at, []
        return made

    def put(self, key: str, value: Any, key_at: int, value_at: int) -> None:
        """Add `key`, which is not in the map, with its `value` and both places."""
        self[key] = value
        self.places += (key_at, value_at)

    def entries(self) -> "zip[tuple[str, Any, int, int]]":
        """Return (key, value, place of the key, place of the value) of each entry in order."""
        return zip(self, self.values(), self.places[::2], self.places[1::2], strict=True)


class Seq(list[Any]):
    """A list with the places of its items; made by `new`.

    at: its own place.
    places: the place of each item, in order.
    """

    __slots__ = ("at", "places")

    at: int
    places: list[int]

    @classmethod
    def new(cls, at: int = 0) -> "Seq":
        """Return an empty list that is written at the place `at`."""
        made = cls()
        made.at, made.places = at, []
        return made

    def put(self, item: Any, at: int) -> None:
        """Append `item`, which is written at the place `at`."""
        self.append(item)
        self.places.append(at)

    def entries(self) -> "zip[tuple[Any, int]]":
        """Return (item, place) of each item in order."""
        return zip(self, self.places, strict=True)


def key_at(tree: Mapping[str, Any], key: str, otherwise: T) -> int | T:
    """Return where `key` is written in `tree`; `otherwise` if that is not known."""
    if isinstance(tree, Map) and key in tree:
        return tree.places[2 * list(tree).index(key)]
    return otherwise


def value_at(tree: Mapping[str, Any], key: str, otherwise: T) -> int | T:
    """Return where the value of `key` is written in `tree`; `otherwise` if that is not known."""
    if isinstance(tree, Map) and key in tree:
        return tree.places[2 * list(tree).index(key) + 1]
    return otherwise


def plain(value: Any) -> Any:
    """Return `value` without places: dicts and lists of its own, shared with nobody."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def scalars(value: Any) -> Iterator[Any]:
    """Yield what is written in `value` that is neither a list nor a map."""
    if isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from scalars(inner)
    else:
        yield value


class Source:
    """A text in which something is declared.

    Args:
        file: its name as the person gave it.
        text: all of it. Empty if only lines are known, as with Python programs: then a place in it
            is the number of a line.

    """

    def __init__(self, file: str, text: str = "") -> None:
        self.file, self.text = file, text

    @property
    def size(self) -> int:
        """How much is written, in characters: what expressions make of it is bounded by that."""
        return len(self.text)

    @property
    def literal(self) -> bool:
        """Whether all values are what they look like, for there is no expression."""
        return OPEN not in self.text

    @cached_property
    def _starts(self) -> list[int]:
        """The places at which lines begin."""
        # splitlines breaks at a few control characters too, but YAML allows none of them.
        return [0, *accumulate(map(len, self.text.splitlines(keepends=True)))]

    def place(self, at: int) -> Place:
        """Return the line and column of the place `at`."""
        if not self.text:
            return Place(self.file, at)
        line = bisect_right(self._starts, at)
        column = at - self._starts[line - 1] + 1
        return tuple.__new__(Place, (self.file, line, column))  # half the time of Place(...)

    def line(self, at: int) -> str:
        """Return the whole line in which the place `at` is."""
        start = self._starts[bisect_right(self._starts, at) - 1]
        end = _LINE.search(self.text, start)
        return self.text[start : end.start() if end else None]

    def offset(self, line: int, column: int) -> int:
        """Return the place at `line` and `column`, both counted from 0; the end if it is beyond."""
        return self._starts[line] + column if line < len(self._starts) else len(self.text)

    def problem(self, at: int, message: str, *, hidden: bool = False) -> Problem:
        """Return what is wrong at the place `at`; `hidden` leaves out the line, as for secrets."""
        line = "" if hidden else self.line(at)
        return Problem(self.place(at), message, line if len(line) <= SHOWN else "")

    def word(self, at: int) -> str:
        """Return what is written at the place `at`, up to a space or a sign that ends a value."""
        return re.split(r"[\s,\]}]", self.text[at : at + SHOWN], maxsplit=1)[0]

    def inside(self, at: int, text: str, offset: int) -> int | None:
        """Return where the character `offset` of the value `text` is written, which begins at the place `at`.

        Returns:
            None if it is not written there literally, as within escapes or folded lines.

        """
        end = at + len(text) + NEAR * (text.count("\n") + 1)
        place = self.text.find(text, at, end)
        if place >= 0:
            return place + offset
        before = text[:offset].split("\n")
        for line in text.split("\n")[: len(before)]:  # each is indented
            place = self.text.find(line, at, end)
            if place < 0:
                return None
            at = place + len(line)
        return place + len(before[-1])

    def locate(self, at: int, fragment: str, within: int) -> int:
        """Return where `fragment` is written, at most `within` characters after the place `at`.

        Returns:
            `at` itself if it is not written there literally, as within escapes.

        """
        found = self.text.find(fragment, at, at + within + len(fragment))
        return at if found < 0 else found
