import asyncio
import os
import subprocess
import sys
from functools import partial

import pytest

from setpoint.world import ConflictError, Entry


async def test_nothing_is_there_before_somebody_sets_it(host):
    assert await host.world.get("a") is None
    assert not host.state.joinpath("world.db").exists()  # looking makes no file


async def test_a_key_keeps_its_value_and_revisions_count_over_all_keys(host):
    assert await host.world.set("a", "1") == Entry("1", 1)
    assert await host.world.set("b", "2") == Entry("2", 2)
    assert await host.world.set("a", "3") == Entry("3", 3)
    assert await host.world.get("b") == Entry("2", 2)
    await host.world.delete("a")
    assert await host.world.get("a") is None
    assert (await host.world.set("a", "4")).revision == 5


async def test_who_has_read_an_old_revision_changes_nothing(host):
    world = host.world
    first = await world.set("a", "1", revision=0)
    await world.set("a", "2", revision=first.revision)
    for change in (
        world.set("a", "x", revision=first.revision),
        world.set("a", "x", revision=0),
        world.delete("a", revision=first.revision),
    ):
        with pytest.raises(ConflictError, match="somebody else has changed it"):
            await change
    assert await world.get("a") == Entry("2", 2)


async def test_counting_by_many_at_once_loses_none(host):
    async def count():
        for _ in range(10):
            while True:
                entry = await host.world.get("n")
                now = int(entry.value) if entry else 0
                try:
                    await host.world.set("n", str(now + 1), revision=entry.revision if entry else 0)
                    break
                except ConflictError:
                    continue

    await asyncio.gather(*(count() for _ in range(8)))
    assert (await host.world.get("n")).value == "80"


async def test_a_change_of_another_process_is_seen_and_reading_is_not(host):
    await host.world.set("a", "1")
    seen = asyncio.Event()
    subscription = host.world.changes("a")
    subscription.start(seen.set)
    for _ in range(5):
        await host.world.get("a")
    await asyncio.sleep(0)
    assert not seen.is_set()
    program = (
        "import asyncio, sys; from setpoint.host import Host;"
        "h = Host(state=sys.argv[1]); asyncio.run(h.world.set('a', '2')); h.close()"
    )
    run = partial(subprocess.run, [sys.executable, "-c", program, host.root], check=True)
    await asyncio.to_thread(run)
    async with asyncio.timeout(5):
        await seen.wait()
    assert (await host.world.get("a")).value == "2"
    subscription.stop()


async def test_only_its_owner_reads_it(host):
    await host.world.set("a", "1")
    assert os.stat(f"{host.root}/world.db").st_mode & 0o777 == 0o600


async def test_a_file_that_is_no_world_is_named(host):
    host.state.mkdir(exist_ok=True)
    host.state.joinpath("world.db").write_bytes(b"x" * 5000)
    with pytest.raises(OSError, match=r"world\.db: file is not a database"):
        await host.world.get("a")
