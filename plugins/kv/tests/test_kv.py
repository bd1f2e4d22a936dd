import sqlite3
from contextlib import closing
from typing import Any

import pytest

from setpoint import Secret, Values
from setpoint.engine.events import Changed
from setpoint.testing import ResourceSuite
from setpoint_kv import Kv


class TestKv(ResourceSuite):
    @pytest.fixture
    def resource(self, host: Any) -> Kv:
        return Kv("release", value="2026.11", _host=host)

    async def disturb(self, resource: Kv) -> None:
        await resource.host.world.set("release", "2020.01")

    def observe(self, resource: Kv) -> object:
        path = resource.host.state / "world.db"
        if not path.exists() or not path.stat().st_size:
            return None
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute("SELECT key, value FROM entry").fetchall()


async def test_a_key_without_a_value_is_to_be_absent(host: Any) -> None:
    await host.world.set("old", "x")
    assert [c.before for c in await Kv("old", _host=host).check_apply(apply=True)] == ["x"]
    assert await host.world.get("old") is None


async def test_it_sends_what_it_has_and_since_which_revision(host: Any) -> None:
    kv = Kv("any", key="release", value="1", _host=host)
    assert await kv.send() == Kv.Sends(value="", revision=0)
    await kv.check_apply(apply=True)
    sent: Values = await kv.send()
    assert sent == Kv.Sends(value="1", revision=1)


async def test_what_somebody_changes_between_check_and_apply_is_not_overwritten(host: Any) -> None:
    kv = Kv("release", value="ours", _host=host)
    changes = await kv.check()
    await host.world.set("release", "theirs")
    with pytest.raises(OSError, match="somebody else has changed it"):
        await kv.apply(changes)
    assert (await host.world.get("release")).value == "theirs"


async def test_a_key_that_somebody_sets_is_set_back(engine: Any) -> None:
    async with engine.keeping(Kv("release", value="ours")) as kept:
        await engine.host.world.set("release", "theirs")
        await kept.told(Changed, "kv release")
        assert (await engine.host.world.get("release")).value == "ours"


async def test_a_secret_is_not_shared(engine: Any) -> None:
    graph = engine.graph(Kv("release", value="key hunter2"))
    graph.secrets.learn(Secret("hunter2"))
    result = await engine.make(graph, converged_timeout=0).run()
    assert "a secret in it" in result.failed["kv release"]
    assert await engine.host.world.get("release") is None
