"""The command as people run it: a place with a graph file and state, and processes that are listened to."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

import pytest

SETPOINT = Path(sys.executable).with_name("setpoint")
JOB = "setpoint-demo-job"
LIVE = Path(__file__).parents[1] / "examples/live"
LONGEST = 15.0  # seconds that a test waits for what is to be said
Wanted = str | Callable[[str], bool]


class Stream:
    """The lines that a process writes to one of its pipes, read as they come.

    Args:
        pipe: where they come from.
        record: where to keep the lines of both pipes, in the order they came.

    """

    def __init__(self, pipe: Any, record: list[str]) -> None:
        self.lines: list[str] = []
        self._record = record
        self._seen, self._ended = 0, False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._reader.start()

    def _read(self, pipe: Any) -> None:
        with pipe:
            for line in pipe:
                with self._news:
                    self.lines.append(line.rstrip("\n"))
                    self._record.append(line)
                    self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def until(self, wanted: Wanted) -> str:
        """Return the next line that has the text `wanted` in it, or of which it is true."""
        fits = wanted if callable(wanted) else lambda line: wanted in line
        with self._news:
            while True:
                while self._seen < len(self.lines):
                    self._seen += 1
                    if fits(self.lines[self._seen - 1]):
                        return self.lines[self._seen - 1]
                said = f"never said {wanted!r}, but:\n{''.join(self._record)}"
                assert not self._ended, f"it ended, and {said}"
                assert self._news.wait(LONGEST), f"it {said}"

    def text(self) -> str:
        """Return all of it, once the process has ended."""
        self._reader.join(LONGEST)
        return "".join(f"{line}\n" for line in self.lines)


class Running:
    """A command that was started."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process, self.pid = process, process.pid
        record: list[str] = []
        self.out, self.err = Stream(process.stdout, record), Stream(process.stderr, record)

    def event(self, type_: str, id_: str = "", **fields: object) -> dict[str, Any]:
        """Return the next event of that type, about that resource and with those fields."""
        wanted = {"type": type_, "id": id_, **fields}

        def fits(line: str) -> bool:
            found = json.loads(line)
            return all(found.get(key) == value for key, value in wanted.items())

        found: dict[str, Any] = json.loads(self.out.until(fits))
        return found

    def events(self, type_: str = "") -> list[dict[str, Any]]:
        """Return all events so far, or those of one type."""
        found = [json.loads(line) for line in list(self.out.lines)]
        return [event for event in found if type_ in ("", event["type"])]

    def settle(self) -> None:
        """Wait until it has converged, with all facts: on a busy machine they may speak later."""
        self.event("Converged")
        if any("not known yet" in line for line in self.err.lines):
            self.event("Swapped")
            self.event("Converged")

    def interrupt(self) -> None:
        """Type ^C."""
        self.process.send_signal(signal.SIGINT)

    def end(self) -> "Ended":
        """Wait for the end."""
        code = self.process.wait(LONGEST)
        return Ended(code, self.out.text(), self.err.text())

    def stop(self) -> "Ended":
        """Ask it to end as systemd does, and wait for that."""
        self.process.terminate()
        return self.end()


class Ended(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All that it said."""
        return self.out + self.err

    def events(self, type_: str = "") -> list[dict[str, Any]]:
        """Return all events, or those of one type."""
        found = [json.loads(line) for line in self.out.splitlines()]
        return [event for event in found if type_ in ("", event["type"])]


class Place:
    """A directory with a graph file, state, and plugins that only its commands find."""

    def __init__(self, home: Path, variables: dict[str, str]) -> None:
        self.home, self.file = home, home / "graph.yaml"
        self.state, self.plugins = home / "state", home / "plugins"
        self.variables = {**variables, "PYTHONPATH": str(self.plugins)}
        self._started: list[Running] = []
        self.plugins.mkdir()

    def write(self, text: str) -> None:
        """Save the graph file, HOME being this place, as editors do: another one takes its place."""
        new = self.home / "graph.yaml.new"
        new.write_text(dedent(text).replace("HOME", str(self.home)))
        new.rename(self.file)

    def install(self, name: str, code: str, **groups: str) -> None:
        """Install the distribution `name` 1.0, one module, with an entry point in each of `groups`."""
        module = name.replace("-", "_")
        (self.plugins / f"{module}.py").write_text(dedent(code))
        info = self.plugins / f"{module}-1.0.dist-info"
        info.mkdir()
        points = (f"[setpoint.{group}]\n{entry}\n" for group, entry in groups.items())
        (info / "entry_points.txt").write_text("".join(points).replace("MODULE", module))

    def line(self, name: str, text: str) -> str:
        """Return "file:line" of the line with `text` in it of the module of `name`."""
        file = f"{name.replace('-', '_')}.py"
        lines = (self.plugins / file).read_text().splitlines()
        return f"{file}:{next(n for n, line in enumerate(lines, 1) if text in line)}"

    def argv(self, command: str, *options: str) -> list[str]:
        """Return a command with the graph file and the state directory, if it takes them."""
        argv = [str(SETPOINT), command, *options]
        argv += [str(self.file)] if command in ("run", "apply", "plan", "graph", "check") else []
        takes_prefix = command in ("run", "apply", "plan", "status", "explain")
        return [*argv, "--prefix", str(self.state)] if takes_prefix else argv

    def start(self, command: str, *options: str, before: tuple[str, ...] = ()) -> Running:
        """Start a command; `before` stands in front of it."""
        return self.spawn(*before, *self.argv(command, *options))

    def spawn(self, *argv: str) -> Running:
        """Start any program as a command is started."""
        process = subprocess.Popen(
            argv,
            cwd=self.home,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._started.append(Running(process))
        return self._started[-1]

    def call(self, command: str, *options: str) -> Ended:
        """Run a command to its end."""
        return self.start(command, *options).end()

    def run(self, *options: str) -> Running:
        """Start `run`, which tells its events as JSON, and wait until it has converged."""
        running = self.start("run", "--json", *options)
        running.settle()
        return running

    def close(self) -> None:
        """Kill what still runs, with its children."""
        for running in self._started:
            if running.process.poll() is None:
                for pid in (*children(running.pid), running.pid):
                    os.kill(pid, signal.SIGKILL)
                running.process.wait(LONGEST)
            running.out.text(), running.err.text()


class Example:
    """An example, led into a place of its own; `demo` is what /tmp/setpoint-demo is for others."""

    def __init__(self, place: Place) -> None:
        self.place, self.demo = place, place.home / "demo"
        self.job = f"job-of-{place.home.name}-{os.getpid()}"
        self.demo.mkdir()

    def run(self, name: str, **other: str) -> Any:
        """Run an example until it has converged, with `other` texts in the place of some."""
        text = (LIVE / f"{name}.yaml").read_text()
        for written, instead in other.items():
            assert written in text
            text = text.replace(written, instead)
        for module in LIVE.glob("modules/*.yaml"):
            (self.place.home / "modules").mkdir(exist_ok=True)
            (self.place.home / "modules" / module.name).write_text(self._led(module.read_text()))
        self.place.write(self._led(text))
        return self.place.run()

    def _led(self, text: str) -> str:
        return text.replace("/tmp/setpoint-demo", str(self.demo)).replace(JOB, self.job)

    def read(self, name: str) -> str:
        """Return the text of a file."""
        return (self.demo / name).read_text()

    def say(self, name: str, text: str) -> None:
        """Write a file, at once as a whole."""
        new = self.demo / f"{name}.new"
        new.write_text(text)
        new.rename(self.demo / name)

    def file(self, name: str) -> str:
        """Return the id of the resource of a file."""
        return f"file {self.demo}/{name}"


def children(pid: int) -> list[int]:
    """Return the ids of the children of a process."""
    return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture(scope="session")
def variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a command: what it compiles and remembers is shared by all tests."""
    base = tmp_path_factory.getbasetemp()
    return {
        "PATH": os.defpath,
        "HOME": str(base),
        "CACHE_DIRECTORY": str(base / "cache"),
        "PYTHONPYCACHEPREFIX": str(base / "compiled"),
    }


@pytest.fixture
def here(tmp_path: Path, variables: dict[str, str]) -> Iterator[Place]:
    place = Place(tmp_path, variables)
    yield place
    place.close()


@pytest.fixture
def example(here: Place) -> Example:
    return Example(here)


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory, variables: dict[str, str]) -> Iterator[Place]:
    """A place that the tests of a module share."""
    place = Place(tmp_path_factory.mktemp("there"), variables)
    yield place
    place.close()
