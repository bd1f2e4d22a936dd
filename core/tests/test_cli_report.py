"""What a session says while an engine runs."""

import asyncio
from pathlib import Path

import pytest

from setpoint import Change, Engine, Resource
from setpoint.cli.report import LASTING, Report
from setpoint.engine import Options
from setpoint.graph import Graph
from setpoint.host import Host
from setpoint.plugins import Plugins


class Waits(Resource):
    """Says that it waits, and does so.

    seconds: how long.
    """

    kind = "waits"

    seconds: float = 0.0

    async def check(self) -> list[Change]:
        return [] if self.memory.get("done") else [Change("done", None, "yes")]

    async def apply(self, changes: list[Change]) -> None:
        self.host.progress(self, "waits for it", if_lasting=True)
        await asyncio.sleep(self.seconds)
        self.host.progress(self, "has it")
        self.memory["done"] = True


@pytest.mark.parametrize(("seconds", "count"), [(0.03, 0), (LASTING + 0.2, 1)])
async def test_what_is_of_interest_only_if_it_lasts_is_said_only_then(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seconds: float, count: int
) -> None:
    plugins, graph = Plugins(path=[]), Graph()
    plugins.add(Waits)
    graph.add(Waits(name="a", seconds=seconds))
    options = Options(converged_timeout=0)
    engine = Engine(graph, plugins=plugins, host=Host(state=tmp_path), options=options)
    report = Report(as_json=False, color=False, stays=False)
    with report.about(engine):
        await engine.run()
    said = capsys.readouterr().out.splitlines()
    assert said.count("waits a: waits for it") == count
    assert said.count("waits a: has it") == 1
