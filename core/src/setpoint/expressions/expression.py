"""An expression, ready to be evaluated any number of times."""

import functools
import keyword
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from setpoint.expressions.building import Builder
from setpoint.expressions.code import ROOTS, Code, Path, is_chain
from setpoint.expressions.faults import UNKNOWN, ExpressionError, NotKnownError
from setpoint.expressions.frame import CONTAINER, LISTS, SCALARS, Frame, fields_of
from setpoint.expressions.lookup import field
from setpoint.expressions.syntax import Parsed
from setpoint.expressions.timed import State, Watched
from setpoint.values import Received, Secret

KEPT = 4_096  # expressions whose functions are kept, by their text
SHORT = 500  # characters of one that is kept


class Program(NamedTuple):
    """What an expression was made into; the same for all that are written alike."""

    code: Code
    paths: dict[Path, bool]
    fields: frozenset[str]
    slots: int
    timed: tuple[Watched, ...]
    reads: bool  # whether it only looks something up: the value goes through as it is
    path: Path | None = None  # what it looks up, if all keys are written out


class Expression:
    """An expression of a graph file. It never changes, and may be evaluated in several threads.

    Args:
        source: its text.
        at: the offset at which it stands in a text around it, added to the places in errors.

    paths: what it reads: `("facts", "load", "x1")`, up to the first key that is computed.

    Raises:
        ExpressionError: it is not in the language.

    """

    __slots__ = ("_program", "at", "paths", "source")

    def __init__(self, source: str, *, at: int = 0) -> None:
        self.source, self.at = source, at
        try:
            self._program = (_program if len(source) <= SHORT else _made)(source)
        except ExpressionError as error:
            raise error.moved(at) from None
        self.paths = tuple(self._program.paths)

    @property
    def optional(self) -> frozenset[Path]:
        """Those of the paths that may be unknown or missing, for there is something instead."""
        return frozenset(path for path, optional in self._program.paths.items() if optional)

    @property
    def fields(self) -> frozenset[str]:
        """The names of all that it looks up in something, as `used` of each item of a list."""
        return self._program.fields

    @property
    def lookup(self) -> Path | None:
        """The path that it is, if it only looks something up, with all keys written out."""
        return self._program.path

    @property
    def is_timed(self) -> bool:
        """Whether it has functions over time, so that it needs a `State`."""
        return bool(self._program.timed)

    def evaluate(self, names: Mapping[str, object], *, state: State | None = None) -> Any:
        """Return the value, `UNKNOWN` if it depends on something that is, a `Secret` if it does.

        Args:
            names: what stands behind each name that may be read here, such as `facts`: a map, or a
                struct, of which some may be `UNKNOWN` or a `Secret`, at any depth.
            state: what functions over time remember; without one they are unknown.

        Raises:
            ExpressionError: there is no value.

        """
        path = self._program.path
        if path is not None:
            value: Any = names
            for key in path:
                if type(value) is not dict or key not in value:
                    break
                value = value[key]
            else:
                if type(value) in SCALARS:
                    return value  # most are so simple
        if state is not None:
            state.begin()
        return self._run(names, state)

    def _run(self, names: Mapping[str, object], state: State | None) -> Any:
        program = self._program
        frame = Frame(names, program.slots)
        try:
            if program.timed and state is not None:
                given: list[Any] = []
                frame.timed = given  # at once: one may be within another
                given += (watched.ask(frame, state) for watched in program.timed)
            value = program.code(frame)
            if type(value) not in SCALARS:
                value = _as_it_is(frame, value) if program.reads else frame.measured(value)
        except NotKnownError:
            return UNKNOWN
        except ExpressionError as error:
            error.place(0, len(self.source))
            raise error.moved(self.at) from None
        return Secret(value) if frame.tainted else value

    def __repr__(self) -> str:
        return f"Expression({self.source!r})"


def _as_it_is(frame: Frame, value: Any) -> Any:
    return value if isinstance(value, Received) else _known(frame, frame.opened(value))


def _known(frame: Frame, value: Any) -> Any:
    """Return `value`, which comes from outside, as it is, if nothing in it is unknown.

    Secrets within are left where they are: what has them beside other values is not all secret.
    """
    if value is UNKNOWN:
        raise NotKnownError
    kind = type(value)
    if kind in LISTS:
        inner = value
    else:
        fields = value if kind is dict else fields_of(value)
        inner = () if fields is None else fields.values()
    frame.pay(len(inner) + CONTAINER)
    for one in inner:
        if type(one) not in SCALARS:
            _known(frame, one)
    return value


@functools.lru_cache(KEPT)
def _program(source: str) -> Program:
    return _made(source)


def _made(source: str) -> Program:
    path = _plain_path(source)
    if path is not None:
        fields = frozenset(path[1:])
        return Program(_reading(path, source), {path: False}, fields, 0, (), True, path)
    parsed = Parsed(source)
    builder = Builder(parsed)
    reads = is_chain(parsed.tree) and builder.path(parsed.tree) is not None
    code = builder.raw(parsed.tree) if reads else builder.code(parsed.tree)
    fields = frozenset(builder.fields)
    return Program(code, builder.paths, fields, builder.slots, tuple(builder.timed), reads)


_PATH = re.compile(
    rf"({'|'.join(ROOTS)})((?:\.[A-Za-z]\w*|\[\"[^\"\\\n]+\"\]|\['[^'\\\n]+'\])*)", re.ASCII
)
_KEY = re.compile(r"\.(\w+)|\[[\"'](.+?)[\"']\]")


def _plain_path(source: str) -> Path | None:
    """Return the path that `source` is, if it is nothing else: most are, and need no parser."""
    found = _PATH.fullmatch(source.strip())
    if found is None or len(source) > 1_000:
        return None
    keys = [name or text for name, text in _KEY.findall(found[2])]
    return None if any(map(keyword.iskeyword, keys)) else (found[1], *keys)


def _reading(path: Path, source: str) -> Code:
    root, *keys = path
    spans = [found.span(found.lastindex or 0) for found in _KEY.finditer(source)]
    steps = tuple(
        (name, ".".join(path[: number + 1]), *spans[number]) for number, name in enumerate(keys)
    )

    def read(frame: Frame) -> Any:
        try:
            value = frame.names[root]
        except KeyError:
            raise ExpressionError(f"there is no {root!r} here") from None
        for name, above, start, end in steps:
            if type(value) is dict and name in value:
                value = value[name]
                continue
            try:
                value = field(frame, value, name, above)
            except ExpressionError as error:
                error.place(start, end)
                raise
        return value

    return read
