"""A stream of values misses no change, tells none twice, and does not look all the time."""

import asyncio
from contextlib import aclosing

import pytest

from setpoint.watching import Subscription
from setpoint_sys.reading import PAUSE, follow


class News(Subscription):
    """Says so when a test says so."""

    def __init__(self) -> None:
        self.changed = None

    def start(self, changed):
        self.changed = changed

    def stop(self):
        self.changed = None


class Value:
    """What is read, and how often it was."""

    def __init__(self, now=0) -> None:
        self.now, self.reads = now, 0

    async def read(self):
        self.reads += 1
        await asyncio.sleep(0)
        if isinstance(self.now, Exception):
            raise self.now
        return self.now


async def test_the_first_value_comes_at_once_and_equal_ones_once():
    news, value = News(), Value(1)
    async with aclosing(follow(news, value.read)) as values:
        assert await anext(values) == 1
        waiting = asyncio.ensure_future(anext(values))
        for _ in range(3):
            await asyncio.sleep(2 * PAUSE)
            news.changed()
        assert not waiting.done()
        value.now = 2
        news.changed()
        assert await waiting == 2
    assert value.reads <= 5
    assert news.changed is None


async def test_a_change_while_a_look_is_under_way_is_seen_by_another_look():
    news, begun, go = News(), asyncio.Event(), asyncio.Event()
    now = ["old"]

    async def read():
        seen = now[0]
        begun.set()
        await go.wait()
        return seen

    async with aclosing(follow(news, read)) as values:
        first = asyncio.ensure_future(anext(values))
        await begun.wait()
        now[0] = "new"
        news.changed()
        go.set()
        assert await first == "old"
        assert await anext(values) == "new"


async def test_a_flood_of_news_is_a_few_looks():
    news, value = News(), Value()
    async with aclosing(follow(news, value.read)) as values:
        await anext(values)
        waiting = asyncio.ensure_future(anext(values))
        began = asyncio.get_running_loop().time()
        for _ in range(2000):
            news.changed()
            await asyncio.sleep(0)
        took = asyncio.get_running_loop().time() - began
        value.now = 1
        news.changed()
        assert await waiting == 1
        assert value.reads <= 4 + took / PAUSE


async def test_an_error_of_a_look_ends_the_stream_and_stops_the_news():
    news = News()
    values = follow(news, Value(OSError("no")).read)
    with pytest.raises(OSError, match="no"):
        await anext(values)
    assert news.changed is None


async def test_cancelling_stops_the_news():
    news, value = News(), Value()
    values = follow(news, value.read)
    await anext(values)
    waiting = asyncio.ensure_future(anext(values))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert news.changed is None
