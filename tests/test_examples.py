"""Each example is run to convergence, in a place of its own instead of one below /tmp."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from setpoint import Engine, graphfile
from setpoint.engine import Options, Result
from setpoint.engine.events import Changed, Converged, Event, Refreshed
from setpoint.graph import Graph
from setpoint.host import Host
from setpoint.plugins import Plugins

ROOT = Path(__file__).parents[1]
OF_ITS_OWN = "site.yaml"  # it has a test of its own, test_site.py
EXAMPLES = sorted(p for p in (ROOT / "examples").glob("*.yaml") if p.name != OF_ITS_OWN)
# Read now: within the booted systemd there is another /tmp, and the checkout may lie in ours.
TEXTS = {path.name: path.read_text() for path in (ROOT / "examples").iterdir() if path.is_file()}
IN_SYSTEMD = {"cron.yaml", "svc.yaml"}  # the others need no more than this machine
PLACE, JOB = re.compile(r"/tmp/setpoint-\w+"), "setpoint-demo-job"


class Place:
    """A private copy of the examples, and the engines that run them."""

    def __init__(self, home: Path) -> None:
        self.demo, self.state = home / "demo", home / "state"
        self.job = f"job-of-{home.name}-{os.getpid()}"
        self.events: list[Event] = []

    def text(self, example: str) -> str:
        """Return the text of an example, led into this place."""
        text = TEXTS[example]
        return PLACE.sub(str(self.demo), text).replace(JOB, self.job)

    def graph(self, example: str) -> Graph:
        """Return the graph of an example."""
        path = self.demo.with_name(example)
        path.write_text(self.text(example))
        return graphfile.load([path], Plugins())

    def engine(self, example: str, timeout: float = 0.0) -> Engine:
        """Return an engine that runs an example, and tells its events here."""
        options = Options(converged_timeout=timeout)
        engine = Engine(self.graph(example), host=Host(state=self.state), options=options)
        engine.listen(self.events.append)
        return engine

    async def converge(self, example: str) -> Result:
        """Run an example until it has converged."""
        self.events.clear()
        return await self.engine(example).run()

    def changed(self) -> list[str]:
        """Return what the last run changed."""
        return [event.id for event in self.events if isinstance(event, Changed)]

    def refreshed(self) -> list[str]:
        """Return what the last run refreshed."""
        return [event.id for event in self.events if isinstance(event, Refreshed)]


@pytest.fixture
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    """Give a place of its own, on a machine that is this one but for what root may change."""
    example = (
        request.node.callspec.params.get("example") if hasattr(request.node, "callspec") else ""
    )
    if example in IN_SYSTEMD:
        request.getfixturevalue("inside_systemd")
    elif os.geteuid() == 0:
        request.getfixturevalue("private")("/etc", "/home", "/root", "/var", uts=True, net=True)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    before = os.umask(0o022)
    yield Place(tmp_path)
    os.umask(before)


def test_each_kind_has_an_example_of_its_name():
    of_plugins = {kind for kind in Plugins().kinds() if (ROOT / "plugins" / kind).is_dir()}
    assert of_plugins <= {path.stem for path in EXAMPLES}
    for kind in of_plugins:
        assert f"\n  {kind} " in (ROOT / "examples" / f"{kind}.yaml").read_text()


@pytest.mark.parametrize("example", [path.name for path in EXAMPLES])
async def test_an_example_converges_and_stays_in_its_place(example, place):
    if os.geteuid() != 0 and "as root:" in place.text(example).lower():
        pytest.skip("this example is for root")
    graph = place.graph(example)
    for id_ in graph.resources:
        assert not id_.startswith("file ") or id_.startswith(f"file {place.demo}"), id_
    result = await place.converge(example)
    assert (result.failed, result.blocked, result.unfinished) == ({}, {}, 0)
    assert any(isinstance(event, Converged) for event in place.events)


@pytest.mark.parametrize("example", ["file.yaml", "password.yaml"])
async def test_what_is_as_declared_is_left_alone(example, place):
    await place.converge(example)
    assert place.changed()
    await place.converge(example)
    assert place.changed() == []


async def test_the_file_example_makes_what_it_shows(place):
    await place.converge("file.yaml")
    assert (place.demo / "current").read_text() == "name = demo\nport = 8080\n"
    assert (place.demo / "conf.d/10-name.conf").stat().st_mode & 0o777 == 0o640
    (place.demo / "conf.d/30-stray.conf").write_text("stray\n")
    await place.converge("file.yaml")
    assert not (place.demo / "conf.d/30-stray.conf").exists()


async def test_the_password_example_hides_its_password(place):
    await place.converge("password.yaml")
    line = (place.demo / "db.env").read_text()
    password = line.removeprefix("DB_PASSWORD=").strip()
    assert len(password) == 24
    assert password not in "".join(map(repr, place.events))


async def test_the_exec_example_makes_its_key_once(place):
    await place.converge("exec.yaml")
    key = (place.demo / "key").read_bytes()
    await place.converge("exec.yaml")
    assert (place.demo / "key").read_bytes() == key
    assert (place.demo / "sorted").read_text() == "apple\npear\n"


async def test_the_notify_example_refreshes_whoever_listens(place):
    await place.converge("notify.yaml")
    listeners = {"exec reload", "noop told at once", "noop not worth it", "noop all done"}
    assert set(place.refreshed()) == listeners


async def test_the_timer_example_ticks(place):
    path = place.demo.with_name("timer.yaml")
    path.write_text(place.text("timer.yaml").replace("interval: 10", "interval: 0.05"))
    graph = graphfile.load([path], Plugins())
    engine = Engine(graph, host=Host(state=place.state))
    ticked = asyncio.Event()
    engine.listen(lambda event: ticked.set() if isinstance(event, Refreshed) else None)
    run = asyncio.create_task(engine.run())
    async with asyncio.timeout(10):
        await ticked.wait()
        engine.stop()
        await run
    assert (place.demo / "heartbeats").read_text().count("\n") >= 2


async def test_the_process_example_pauses_whoever_fits(place):
    job = await asyncio.create_subprocess_exec("sh", "-c", "echo up; read line", place.job,
                                               stdin=-1, stdout=-1)  # fmt: skip
    try:
        await job.stdout.readline()
        assert (await place.converge("process.yaml")).ok
        assert place.changed() == ["process demo jobs"]
        state = Path(f"/proc/{job.pid}/stat").read_text().rpartition(")")[2].split()[0]
        assert state == "T"
    finally:
        job.send_signal(signal.SIGCONT)
        await job.communicate(b"\n")


async def test_two_engines_share_one_program(place):
    program = place.demo.with_name("embed.py")
    program.write_text(place.text("embed.py"))
    ran = await asyncio.create_subprocess_exec(sys.executable, str(program), stdout=-1, stderr=-1)
    out, errors = await ran.communicate()
    assert (ran.returncode, errors) == (0, b"")
    lines = out.decode().splitlines()
    greeting = f"file {place.demo}/one/greeting"
    assert lines.count(f"one: changed {greeting}") == 2
    assert lines.count("one: refreshed noop told") == 2
    assert lines.count("two: refreshed noop told") == 1
    assert lines[-1] == "all as declared: True"


def test_the_command_of_a_clone_takes_the_files_of_where_it_is_called(tmp_path):
    clone = tmp_path / "clone"
    (clone / ".venv/bin").mkdir(parents=True)
    (clone / ".venv/bin/setpoint").symlink_to(Path(sys.executable).with_name("setpoint"))
    (clone / "bin").mkdir()
    (clone / "bin/run").symlink_to(ROOT / "bin/run")
    (clone / "bin/setup").symlink_to("/bin/true")  # all is there
    (tmp_path / "mine.yaml").write_text("resources:\n  noop mine:\n")
    ran = subprocess.run(
        ["clone/bin/run", "check", "mine.yaml"], cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.stdout == "mine.yaml: can be run; resources: 1, edges: 0\n"
