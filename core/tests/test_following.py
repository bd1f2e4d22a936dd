import asyncio
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest

from setpoint import Fact, Refused
from setpoint.following import Facts


class Told(Fact):
    """What a test says.

    name: any.
    each: any number.
    """

    kind = "told"
    Value = int
    each: int = 1
    started: ClassVar[asyncio.Queue[asyncio.Queue[Any]]]
    begun: ClassVar[list[str]] = []
    ended: ClassVar[list[str]] = []

    async def watch(self) -> AsyncIterator[int]:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        self.started.put_nowait(queue)
        self.begun.append(self.name)
        try:
            while True:
                said = await queue.get()
                if isinstance(said, BaseException):
                    raise said
                if said is None:
                    return
                yield said
        finally:
            self.ended.append(self.name)


class Heard:
    """Facts, and what they told."""

    def __init__(self) -> None:
        self.news: asyncio.Queue[Any] = asyncio.Queue()
        self.facts = Facts(self.news.put_nowait, self._failed)

    def _failed(self, name: str, error: BaseException, again: float) -> None:
        self.news.put_nowait((name, str(error), again))

    async def next(self) -> Any:
        async with asyncio.timeout(100):
            return await self.news.get()

    async def begin(self, number: int = 1) -> asyncio.Queue[Any]:
        """Wait until so many more have begun; return what moves the last."""
        async with asyncio.timeout(100):
            begun = [await Told.started.get() for _ in range(number)]
        return begun[-1]


@pytest.fixture
async def heard(virtual_clock):
    Told.started = asyncio.Queue()
    Told.begun.clear()
    Told.ended.clear()
    virtual_clock.monotonic()  # from now on it rules this loop
    heard = Heard()
    yield heard
    await heard.facts.close()


async def test_a_fact_is_unknown_until_it_speaks(heard):
    heard.facts.want({"load": Told()})
    queue = await heard.begin()
    assert "load" not in heard.facts.values
    queue.put_nowait(5)
    assert await heard.next() == "load"
    assert heard.facts.values == {"load": 5}


async def test_an_equal_value_is_no_news(heard):
    heard.facts.want({"load": Told()})
    queue = await heard.begin()
    for value in (1, 1, 2):
        queue.put_nowait(value)
    assert [await heard.next(), await heard.next()] == ["load", "load"]
    assert heard.facts.values == {"load": 2}
    assert heard.news.empty()


async def test_what_is_wanted_still_goes_on_and_what_is_not_ends(heard):
    heard.facts.want({"a": Told("a"), "b": Told("b"), "c": Told("c")})
    await heard.begin(3)
    heard.facts.want({"b": Told("b"), "c": Told("c", each=2), "d": Told("d")})
    await heard.begin(2)
    assert Told.begun == ["a", "b", "c", "c", "d"]
    assert Told.ended == ["a", "c"]


async def test_one_that_fails_is_begun_anew_later_and_later_and_keeps_its_value(heard):
    heard.facts.want({"load": Told()})
    queue = await heard.begin()
    queue.put_nowait(5)
    await heard.next()
    waits = []
    Told.started.put_nowait(queue)
    for _ in range(10):
        (await heard.begin()).put_nowait(OSError("gone"))
        name, why, again = await heard.next()
        waits.append(again)
        assert (name, why) == ("load", "gone")
        assert heard.facts.problems == {"load": "gone"}
    assert waits == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert heard.facts.values == {"load": 5}
    queue = await heard.begin()
    queue.put_nowait(5)
    queue.put_nowait(6)
    assert await heard.next() == "load"
    assert heard.facts.problems == {}


async def test_one_that_refuses_is_not_begun_anew(heard):
    heard.facts.want({"load": Told()})
    (await heard.begin()).put_nowait(Refused("there is none", "run as root"))
    assert await heard.next() == ("load", "there is none; run as root", -1)
    await asyncio.sleep(0)
    assert Told.started.empty()


async def test_one_that_ends_has_failed(heard):
    heard.facts.want({"load": Told()})
    (await heard.begin()).put_nowait(None)
    assert (await heard.next())[1] == "it ended, which a fact never does"


async def test_closed_nothing_is_left(heard):
    heard.facts.want({"a": Told("a"), "b": Told("b")})
    await heard.begin(2)
    await heard.facts.close()
    assert sorted(Told.ended) == ["a", "b"]
    assert heard.facts.values == {}
