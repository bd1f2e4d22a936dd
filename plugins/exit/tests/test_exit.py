from typing import Any

import pytest

from setpoint import Change, Refused
from setpoint.engine.events import Changed
from setpoint.testing import ResourceSuite
from setpoint_exit import Exit
from setpoint_noop import Noop
from setpoint_timer import Timer


class TestExit(ResourceSuite):
    checks = False
    watches = False

    @pytest.fixture
    def resource(self, host: Any) -> Exit:
        return Exit("told", code=3, refresh_only=True, _host=host)


async def test_it_ends_the_engine_with_its_code(engine: Any) -> None:
    result = await engine.make(engine.graph(Noop("a"), Exit("now", code=7))).run()
    assert (result.ok, result.exit_code) == (True, 7)


async def test_its_turn_comes_after_what_it_requires(engine: Any) -> None:
    await engine.converge(Noop("a"), Exit("now"), edges="noop a -> exit now")
    assert [event.id for event in engine.events if isinstance(event, Changed)] == ["exit now"]


async def test_what_has_failed_is_not_hidden_by_a_code_of_0(engine: Any) -> None:
    class Bad(Noop):
        """Fails."""

        kind = "bad"

        def check(self) -> list[Change]:
            raise OSError("no")

    result = await engine.converge(Bad("a"), Exit("now"))
    assert not result.ok


async def test_it_may_wait_for_a_notification(engine: Any) -> None:
    ending = Exit("told", code=3, refresh_only=True)
    graph = engine.graph(Timer("t", interval=1), ending, edges="timer t ~> exit told")
    result = await engine.make(graph).run()
    assert result.exit_code == 3


async def test_with_noop_nothing_ends(engine: Any) -> None:
    result = await engine.converge(Exit("now", code=7), noop=True)
    assert result.exit_code is None


async def test_a_plan_says_what_it_would_do(host: Any) -> None:
    found = await Exit("now", code=7, _host=host).check_apply(apply=False)
    assert found == [Change("engine", "running", "exit code 7")]


async def test_without_an_engine_there_is_nothing_to_end(host: Any) -> None:
    with pytest.raises(Refused, match="no engine to end"):
        await Exit("now", _host=host).check_apply(apply=True)
