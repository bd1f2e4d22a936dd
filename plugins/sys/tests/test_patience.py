"""What hangs keeps one thread, and nobody else waits for it."""

import asyncio
import threading

import pytest

from setpoint_sys.patience import Patience


def threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("setpoint looks at")]


@pytest.fixture
def hanging():
    """A function that hangs until the test ends."""
    released = threading.Event()
    yield released.wait
    released.set()
    for thread in threading.enumerate():
        if thread.name.startswith("setpoint looks at"):
            thread.join(5)


async def test_what_hangs_is_said_plainly_and_keeps_one_thread(hanging):
    patience = Patience()
    for _ in range(3):
        with pytest.raises(TimeoutError, match=r"^mount /mnt must answer within 0.05 s, it hangs$"):
            await patience.call("mount /mnt", hanging, 0.05)
    assert threads() == ["setpoint looks at mount /mnt"]
    assert await patience.call("mount /srv", lambda: 1) == 1


async def test_two_who_ask_for_the_same_do_so_one_after_the_other():
    patience, running, most = Patience(), [], []

    def look() -> int:
        running.append(1)
        most.append(len(running))
        running.pop()
        return len(most)

    results = await asyncio.gather(*(patience.call("disks", look) for _ in range(20)))
    assert sorted(results) == list(range(1, 21))
    assert max(most) == 1


@pytest.mark.parametrize(
    "error", [OSError(5, "input/output error"), TimeoutError("its own"), SystemExit(3)]
)
async def test_an_error_is_raised_as_it_was(error):
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        await Patience().call("disks", fail)
    assert raised.value is error


async def test_one_who_gives_up_does_not_disturb_the_next():
    patience, go = Patience(), threading.Event()
    first = asyncio.ensure_future(patience.call("disks", go.wait))
    await asyncio.sleep(0.01)
    first.cancel()
    second = asyncio.ensure_future(patience.call("disks", lambda: 2))
    await asyncio.sleep(0.01)
    assert not second.done()
    go.set()
    assert await second == 2


def test_a_loop_that_is_gone_is_no_trouble_to_a_thread_that_ends_later():
    patience, go = Patience(), threading.Event()

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await patience.call("disks", go.wait, 0.01)

    asyncio.run(give_up())
    thread = next(one for one in threading.enumerate() if one.name.startswith("setpoint looks"))
    go.set()
    thread.join(5)
    assert asyncio.run(patience.call("disks", lambda: 3)) == 3
