import asyncio

import pytest

from setpoint.watching import Every


async def test_it_tells_once_an_interval_and_the_first_time_after_one(virtual_clock):
    began = virtual_clock.monotonic()
    told = asyncio.Queue()
    every = Every(10)
    every.start(lambda: told.put_nowait(virtual_clock.monotonic() - began))
    times = [await told.get() for _ in range(3)]
    every.stop()
    assert times == pytest.approx([10, 20, 30], abs=0.1)


async def test_who_is_told_may_stop_it(virtual_clock):
    virtual_clock.monotonic()
    told = []
    every = Every(1)

    def stop():
        told.append(1)
        every.stop()

    every.start(stop)
    await asyncio.sleep(10)
    assert told == [1]
    every.start(stop)
    await asyncio.sleep(10)
    assert told == [1, 1]


async def test_it_begins_once_at_a_time():
    every = Every(1000)
    every.start(lambda: None)
    with pytest.raises(RuntimeError, match="begun already"):
        every.start(lambda: None)
    every.stop()
    every.stop()
