"""A small machine of real files that a real engine keeps, and what must be true of it after a crash.

Files notify counters, directly, through files that change too or do not (a file has no refresh of its own), through a
command, and by a value.
A counter notes at each refresh which versions of its sources it has seen: inode and time of change. So a refresh that
was lost shows: a source is of another version than the one that was seen last.
"""

import asyncio
import hashlib
import os
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import ClassVar

from setpoint import Change, Engine, Resource, hookimpl
from setpoint.engine import Options
from setpoint.graph import Edge, Graph
from setpoint.host import Host
from setpoint.journal import read_status
from setpoint.plugins import Plugins
from setpoint.values import Ref

KEPT = 20_000  # characters of the larger files, more than fits into one page
TEMPORARY = re.compile(r"\.setpoint-.*~|.*\.new(-.*)?")


class Counting(Resource):
    """Notes what it has seen of its sources each time it is refreshed."""

    kind = "counter"
    quick: ClassVar[bool] = True
    log: str
    sources: tuple[str, ...]

    def check(self) -> list[Change]:
        return []

    def note(self) -> None:
        line = f"{self.name} {' '.join(map(version, self.sources))}\n"
        fd = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(fd, line.encode())
        os.close(fd)

    @hookimpl
    def refresh(self) -> None:
        self.note()


class Threaded(Counting):
    kind = "counter:thread"
    quick = False


class Awaited(Counting):
    kind = "counter:async"
    quick = False

    @hookimpl
    async def refresh(self) -> None:
        self.note()
        await asyncio.sleep(0)


class Pair(Resource):
    """Two files, written one after the other: there is a moment in between."""

    kind = "pair"
    content: str

    @property
    def paths(self) -> tuple[str, str]:
        return f"{self.name}.1", f"{self.name}.2"

    async def check(self) -> list[Change]:
        found = {path: read(path) for path in self.paths}
        return [Change(p, None, self.content) for p, text in found.items() if text != self.content]

    async def apply(self, changes: list[Change]) -> None:
        for change in changes:
            self.host.files.write(change.attribute, self.content.encode(), mode=0o600)
            await asyncio.sleep(0)


class Relay(Resource):
    """Has nothing of its own, and no refresh: it passes notifications on."""

    kind = "relay"

    def check(self) -> list[Change]:
        return []


KINDS = (Counting, Threaded, Awaited, Pair, Relay)


class Machine:
    """What lies below `root`; versions 0 and 1 of its graph differ in some contents and a mode.

    plugins: what is installed, found and imported already.
    """

    def __init__(self, root: Path, plugins: Plugins) -> None:
        self.root, self.plugins = root, plugins
        self.files, self.log = root / "files", root / "log"
        self.sources: dict[str, tuple[str, ...]] = {}
        self.graph(0)

    # what is declared

    def path(self, name: str) -> str:
        return str(self.files / name)

    def graph(self, number: int) -> Graph:
        """Return version `number` of what is declared."""
        graph = Graph()
        file, command = self.plugins.kind("file"), self.plugins.kind("exec")
        for name, (content, mode) in contents(number).items():
            graph.add(file(self.path(name), content=content, mode=mode))
        graph.add(
            file(self.path("digest")),
            Pair(self.path("pair"), content=f"pair {number}"),
            Relay("relay"),
            self.plugins.kind("noop")("noop"),
            command("copy", cmd=f"cp {self.path('a')} {self.path('copy')}", refresh_only=True),
        )
        graph.receives[f"file {self.path('digest')}"] = {
            "content": Ref(f"file {self.path('a')}", "sha256")
        }
        graph.connect(Edge(f"file {self.path('a')}", f"file {self.path('digest')}", None))
        for source, listener in (
            ("a", f"file {self.path('chain')}"),
            ("a", "exec copy"),
            ("a", f"file {self.path('same')}"),
            ("same", "relay relay"),
            ("same", "noop noop"),
        ):
            self._notify(graph, source, listener)
        self._count(graph, Counting, "one", "a")
        self._count(graph, Threaded, "two", "a", "b")
        self._count(graph, Awaited, "three", "c")
        self._count(graph, Counting, "four", "chain", seen=("a", "chain"))
        self._count(graph, Threaded, "five", "digest")
        self._count(graph, Counting, "six", "pair", seen=("pair.1", "pair.2"))
        self._count(graph, Awaited, "seven", "exec copy", seen=("copy",))
        self._count(graph, Awaited, "eight", "same", seen=("a", "same"))
        self._count(graph, Counting, "nine", "relay relay", seen=("a", "same"))
        return graph

    def _notify(self, graph: Graph, source: str, listener: str) -> None:
        if " " not in source:
            source = f"{'pair' if source == 'pair' else 'file'} {self.path(source)}"
        graph.connect(Edge(source, listener, "hold"))

    def _count(
        self, graph: Graph, kind: type[Counting], name: str, *by: str, seen: tuple[str, ...] = ()
    ) -> None:
        self.sources[name] = tuple(map(self.path, seen or by))
        graph.add(kind(name, log=str(self.log), sources=self.sources[name]))
        for source in by:
            self._notify(graph, source, f"{kind.kind} {name}")

    # what happens to it

    def live(self, number: int, step: "object" = None) -> None:
        """Converge on version `number`; tell `step` of each step of the journal."""
        engine = Engine(
            self.graph(number),
            plugins=self.plugins,
            host=Host(state=self.root / "state"),
            options=Options(converged_timeout=0, watch=False),  # closing inotify takes 15 ms
        )
        if step is not None:
            engine._journal.steps = step
        result = asyncio.run(engine.run())
        assert result.ok, result

    def drift(self) -> None:
        """Change from outside what the two versions have in common."""
        Path(self.path("c")).write_text("drifted")
        os.chmod(self.path("chain"), 0o666)

    def renew(self, template: Path) -> None:
        """Put everything as it is in `template`."""
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(template, self.root)

    # what must be true

    def versions(self) -> dict[str, str]:
        """Return the version of each source."""
        return {p: version(p) for paths in self.sources.values() for p in paths}

    def torn(self, drifted: bool) -> list[str]:
        """Return the files that hold neither what they held nor what they are to hold."""
        wrong = []
        for name, (content, mode) in contents(1).items():
            before, mode_before = contents(0)[name]
            path = self.path(name)
            allowed = {content, before, "drifted" if drifted else None}
            if read(path) not in allowed:
                wrong.append(f"{path} is torn")
            modes = {int(mode, 8), int(mode_before, 8), 0o666 if drifted else None}
            if read(path) is not None and os.stat(path).st_mode & 0o7777 not in modes:
                wrong.append(f"{path} has mode {os.stat(path).st_mode:o}")
        sums = {hashlib.sha256(contents(n)["a"][0].encode()).hexdigest() for n in (0, 1)}
        if read(self.path("digest")) not in (*sums, None):
            wrong.append("digest is torn")
        pairs = [read(self.path(f"pair.{n}")) for n in (1, 2)]
        return wrong + [
            f"pair is {text!r}" for text in pairs if text not in ("pair 0", "pair 1", None)
        ]

    def missed(self, before: dict[str, str], lines: list[str]) -> list[str]:
        """Return the counters that have not seen the last version of a source that changed."""
        now, seen = self.versions(), dict(line.split(" ", 1) for line in lines)
        return [
            f"{name} has not seen {[p for p in paths if now[p] != before[p]]}"
            for name, paths in self.sources.items()
            if any(now[p] != before[p] for p in paths)
            and seen.get(name) != " ".join(now[p] for p in paths)
        ]

    def extra(self, before: dict[str, str], lines: list[str]) -> dict[str, int]:
        """Return how many refreshes each counter had beyond the one that it needed, if any."""
        now, counts = self.versions(), Counter(line.split(" ", 1)[0] for line in lines)
        needed = {n: any(now[p] != before[p] for p in paths) for n, paths in self.sources.items()}
        return {name: counts[name] - needed[name] for name in counts}

    def leftovers(self) -> list[str]:
        """Return what should not be there once everything has converged."""
        found = [str(path) for path in self.root.rglob("*") if TEMPORARY.fullmatch(path.name)]
        status = read_status(self.root / "state")
        return found + [f"debt {debt}" for debt in status.debts] + [*status.intents]

    def unlike(self, number: int) -> list[str]:
        """Return what is not as version `number` declares it."""
        wanted = {name: text for name, (text, _) in contents(number).items()}
        wanted["copy"] = wanted["a"]
        wanted["digest"] = hashlib.sha256(wanted["a"].encode()).hexdigest()
        wanted["pair.1"] = wanted["pair.2"] = f"pair {number}"
        return [name for name, text in wanted.items() if read(self.path(name)) != text]


def contents(number: int) -> dict[str, tuple[str, str]]:
    """Return content and mode of the files in version `number`."""
    return {
        "a": (f"{number}" * KEPT, "0644"),
        "b": (f"b {number}", ("0600", "0644")[number]),
        "c": ("c", "0640"),
        "chain": ("chain", "0644"),
        "same": ("same", "0644"),
    }


def version(path: str) -> str:
    """Return what differs between any two states of the file at `path`."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return "none"
    return f"{found.st_ino}-{found.st_ctime_ns}"


def read(path: str) -> str | None:
    """Return what the file at `path` holds; None if there is none."""
    try:
        return Path(path).read_text()
    except FileNotFoundError:
        return None
