"""YAML read into values with places: strict, in bounded time and memory.

PyYAML's parser (libyaml) gives events, each with its place; the values are built here, for its own builder takes ten
times as long, knows no places, lets the last of two equal keys win, and makes gigabytes of a few aliases. So there is
no node graph and no constructor, and what is open is at most `MAX_DEPTH` deep.

Refused, because they are never what somebody means in a graph: tags, merge keys, keys that are no text, a second
document, nesting past `MAX_DEPTH`, and aliases that stand for much more than what is written. Files without an
alias have no limit but their length.

Source: https://yaml.org/spec/1.2.2/ and https://pyyaml.org/wiki/PyYAMLDocumentation (events)
"""

from collections.abc import Callable
from typing import Any, Final

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from setpoint.declarations import Map, Seq, Source, key_at
from setpoint.errors import GraphError, Problem
from setpoint.graphfile.scalars import resolve
from setpoint.graphfile.syntax import syntax_problem

MAX_DEPTH = 100
GROWTH = 4  # values that aliases may stand for, for each character that is written before
FREE = 10_000  # and in addition, in any file
LOADER: Final[Any] = getattr(
    yaml, "CSafeLoader", yaml.SafeLoader
)  # without libyaml 10 times slower


def load(source: Source) -> Any:
    """Return what the text of `source` says: `Map`, `Seq`, text, numbers, truth values, None.

    Keys are text, whatever they look like. None if there is nothing in the text.

    Raises:
        GraphError: it is not YAML, or what is refused here; with everything up to where reading
            could not go on.

    """
    loader = _loader(source)
    reader = _Reader(source, loader.get_event)
    try:
        root = reader.document()
    except yaml.YAMLError as error:
        reader.problems.append(syntax_problem(source, error))
    except _Stop as stop:
        reader.problems.append(stop.problem)
    finally:
        loader.dispose()
    if reader.problems:
        raise GraphError(reader.problems)
    return root


def _loader(source: Source) -> Any:
    try:
        return LOADER(source.text)
    except (yaml.YAMLError, UnicodeEncodeError) as error:  # characters that YAML cannot hold
        raise GraphError([syntax_problem(source, error)]) from None


class _Stop(Exception):  # noqa: N818 - nobody sees it; what is wrong is its problem
    """Reading cannot go on."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


class _Reader:
    """Values while they are read; descends into lists and maps, at most `MAX_DEPTH` deep.

    marked: whether there may be anchors or tags at all.
    depth: how many lists and maps are open.
    deepest: the most that were open at once, in all of it or since an anchor.
    count: how many values were read, with what aliases stand for.
    anchors: what each name of an anchor stands for, of how many values it consists and how
        deep it is nested; None while it is open.
    """

    def __init__(self, source: Source, next_event: Callable[[], Any]) -> None:
        self.source, self.next_event = source, next_event
        self.problems: list[Problem] = []
        self.marked = "&" in source.text or "!" in source.text
        self.depth = self.deepest = self.count = self.aliased = 0
        self.anchors: dict[str, tuple[Any, int, int] | None] = {}

    def document(self) -> Any:
        """Return the value of the one document."""
        root: Any = None
        documents = 0
        while type(event := self.next_event()) is not StreamEndEvent:
            if type(event) is DocumentStartEvent:
                documents += 1
                if documents > 1:
                    raise self.stop(event, "a second document begins; a graph file has only one")
                root = self.value(self.next_event())
        return root

    def map(self, start: Any) -> Map:
        """Return the map that begins with the event `start`."""
        result = Map()
        result.at, result.places = start.start_mark.index, []
        places, next_event, marked = result.places, self.next_event, self.marked
        while type(event := next_event()) is not MappingEndEvent:
            # The usual case of `value`, without a call: nearly all events of a graph are these.
            key = event.value if type(event) is ScalarEvent else self.other_key(event)
            inner = next_event()
            if type(inner) is ScalarEvent and not marked:
                value = resolve(inner.value) if inner.implicit[0] else inner.value
            else:
                value = self.value(inner)
            if not (key in result or key == "<<" or marked) or self.is_key(event, key, result):
                result[key] = value
                places += (event.start_mark.index, inner.start_mark.index)
        self.count += len(result)
        return result

    def sequence(self, start: Any) -> Seq:
        """Return the list that begins with the event `start`."""
        result = Seq.new(start.start_mark.index)
        while type(event := self.next_event()) is not SequenceEndEvent:
            result.put(self.value(event), event.start_mark.index)
        self.count += len(result)
        return result

    def value(self, event: Any) -> Any:
        """Return the value that begins with `event`."""
        kind = type(event)
        if kind is AliasEvent:
            return self.alias(event)
        if event.tag is not None:
            self.refuse_tag(event)
        if event.anchor is not None:
            return self.anchored(event)
        return self.scalar(event) if kind is ScalarEvent else self.collection(event)

    def anchored(self, event: Any) -> Any:
        """Return the value that begins with `event`, and remember it under its anchor."""
        count, deepest = self.count, self.deepest
        self.anchors[event.anchor] = None
        self.deepest = self.depth
        value = self.scalar(event) if type(event) is ScalarEvent else self.collection(event)
        height = self.deepest - self.depth
        self.anchors[event.anchor] = (value, 1 + self.count - count, height)
        self.deepest = max(deepest, self.deepest)
        return value

    def scalar(self, event: Any) -> Any:
        """Return the text, number, truth value or None of `event`."""
        return resolve(event.value) if event.implicit[0] else event.value

    def collection(self, start: Any) -> Map | Seq:
        """Return the list or map that begins with the event `start`."""
        self.depth += 1
        if self.depth > self.deepest:
            self.deepen(self.depth, start)
        value = self.map(start) if type(start) is MappingStartEvent else self.sequence(start)
        self.depth -= 1
        return value

    def deepen(self, depth: int, event: Any) -> None:
        """Note that what `event` begins, or stands for, reaches to `depth`."""
        if depth > MAX_DEPTH:
            raise self.stop(event, f"nested more than {MAX_DEPTH} deep; write it flatter")
        self.deepest = max(depth, self.deepest)

    def alias(self, event: Any) -> Any:
        """Return what has the anchor of that name."""
        name = event.anchor
        found = self.anchors.get(name)
        if found is None:
            why = "is within what it stands for" if name in self.anchors else "stands for nothing"
            raise self.stop(
                event, f"the alias *{name} {why}; a text that begins with * needs quotes"
            )
        value, count, height = found
        self.count += count
        self.aliased += count
        self.deepen(self.depth + height, event)
        if self.aliased > FREE + GROWTH * event.start_mark.index:
            what = "aliases stand for much more than what is written; write it out"
            raise self.stop(event, what)
        return value

    def other_key(self, event: Any) -> str:
        """Return the key that `event`, which is no scalar, stands for."""
        key = self.alias(event) if type(event) is AliasEvent else None
        if not isinstance(key, str):
            raise self.stop(event, "a key must be text, not a list or a map; put it in quotes")
        return key

    def is_key(self, event: Any, key: str, inside: Map) -> bool:
        """Whether the unusual `key` may be one of `inside`; reports why not."""
        if type(event) is ScalarEvent:
            if event.anchor is not None:
                self.anchors[event.anchor] = (key, 1, 0)
            if event.tag is not None:
                self.refuse_tag(event)
            if key == "<<" and event.implicit[0]:
                self.wrong(
                    event, "merge keys (<<) are not read; write the keys here, or use defaults"
                )
                return False
        if key in inside:
            first = self.source.place(key_at(inside, key, 0))
            self.wrong(
                event, f"the key {key!r} is there already, at {first}; take out one of the two"
            )
        return key not in inside

    def refuse_tag(self, event: Any) -> None:
        """Report a tag."""
        short = event.tag.replace("tag:yaml.org,2002:", "!!")
        self.wrong(event, f"the tag {short!r} is not read; a text that begins with ! needs quotes")

    def wrong(self, event: Any, message: str) -> None:
        """Report what is wrong where `event` begins."""
        self.problems.append(self.source.problem(event.start_mark.index, message))

    def stop(self, event: Any, message: str) -> _Stop:
        """Return what to raise where reading cannot go on."""
        return _Stop(self.source.problem(event.start_mark.index, message))
