"""Kinds and facts for Python programs, and their classes there."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import msgspec
import pytest

from setpoint import Change, Fact, Resource, Secret, Values, hookimpl
from setpoint.plugins import Plugins, UnknownFactError
from setpoint.program import class_of


class Load(Values):
    x1: float
    words: list[str]


class LoadFact(Fact):
    kind = "load"
    Value = Load

    async def watch(self) -> AsyncIterator[Load]:
        yield Load(x1=1.0, words=[])


class NoteFact(Fact):
    kind = "note"
    Value = str
    upper: bool = False

    async def watch(self) -> AsyncIterator[str]:
        yield self.name


FACTS: dict[str, type[Fact]] = {"load": LoadFact, "note": NoteFact}


class Still(Resource):
    """Something that is always as declared."""

    kind = "still"
    text: str | None = None
    number: Annotated[int, msgspec.Meta(ge=0)] = 0
    size: float = 0.0
    flag: bool = False
    state: Literal["", "here", "gone"] = ""
    items: list[str] = msgspec.field(default_factory=list)
    pairs: dict[str, str] = msgspec.field(default_factory=dict)
    data: bytes = b""
    secret: Secret[str] | None = None

    class Sends(Values):
        text: str
        number: int
        hidden: Secret[str]

    def check(self) -> list[Change]:
        return []

    @hookimpl
    def send(self) -> Values:
        return self.Sends(text="", number=0, hidden=Secret(""))


class Needy(Still):
    """A kind of a family, with a param that must be given.

    must: see `Still`, "quoted" \\d.
    """

    kind = "family:needy"
    must: str


class Own(Plugins):
    """The kinds and facts of these tests, and no others."""

    def __init__(self) -> None:
        super().__init__(path=[])
        self.add(Still, Needy)

    def fact(self, name: str) -> type[Fact]:
        if name not in FACTS:
            raise UnknownFactError(name, FACTS)
        return FACTS[name]


@pytest.fixture(scope="session")
def plugins() -> Plugins:
    return Own()


StillThing: Any = class_of("still")
NeedyThing: Any = class_of("family:needy")
