import asyncio

import pytest

from setpoint.together import Together


async def test_wishes_of_the_same_time_are_fulfilled_at_once():
    calls = []

    async def do(wishes):
        calls.append(sorted(wishes))
        return {wish: wish * 10 for wish in wishes}

    together = Together(do)
    assert await asyncio.gather(*map(together.want, (3, 1, 2, 1))) == [30, 10, 20, 10]
    assert calls == [[1, 2, 3]]


async def test_wishes_that_come_during_the_work_are_fulfilled_next():
    calls, entered, go = [], asyncio.Event(), asyncio.Event()

    async def do(wishes):
        calls.append(list(wishes))
        entered.set()
        await go.wait()
        return dict.fromkeys(wishes)

    together = Together(do, wait=0)
    first = asyncio.create_task(together.want("a"))
    await entered.wait()
    others = [asyncio.create_task(together.want(wish)) for wish in "bc"]
    await asyncio.sleep(0)
    go.set()
    await asyncio.gather(first, *others)
    assert calls == [["a"], ["b", "c"]]


async def test_each_has_its_own_outcome():
    async def do(wishes):
        return {wish: OSError(wish) if wish == "bad" else wish for wish in wishes}

    together = Together(do, wait=0)
    good, bad = await asyncio.gather(
        together.want("good"), together.want("bad"), return_exceptions=True
    )
    assert good == "good"
    assert isinstance(bad, OSError)


async def test_an_error_of_the_work_is_that_of_all():
    async def do(wishes):
        raise OSError("no more")

    together = Together(do, wait=0)
    for outcome in await asyncio.gather(*map(together.want, "ab"), return_exceptions=True):
        assert str(outcome) == "no more"


async def test_who_gives_up_takes_nothing_from_the_others():
    go = asyncio.Event()

    async def do(wishes):
        await go.wait()
        return dict.fromkeys(wishes, "done")

    together = Together(do, wait=0)
    waiting = [asyncio.create_task(together.want("same")) for _ in "ab"]
    await asyncio.sleep(0)
    waiting[0].cancel()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    assert await waiting[1] == "done"


async def test_closed_it_leaves_nobody_waiting():
    async def do(wishes):
        await asyncio.get_running_loop().create_future()

    together = Together(do, wait=0)
    under_way = asyncio.create_task(together.want("a"))
    await asyncio.sleep(0.001)
    later = asyncio.create_task(together.want("b"))
    await asyncio.sleep(0)
    together.close()
    for task in (under_way, later):
        with pytest.raises(asyncio.CancelledError):
            await task
