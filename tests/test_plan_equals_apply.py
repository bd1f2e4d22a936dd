"""Graphs and machines drawn at random: what a run does is what the plan of it said.

SETPOINT_EXAMPLES is how many are drawn, SETPOINT_SEED with which number to begin: each message of a failure has both.
"""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec
import pytest

from setpoint import Meta, ParamError, Resource
from setpoint.autoedges import connect
from setpoint.engine import Engine, Options, Result
from setpoint.engine.events import Changed, Event, Failed, Refreshed
from setpoint.graph import CycleError, Edge, Graph
from setpoint.host import Host
from setpoint.plan import Plan, plan
from setpoint.plugins import Plugins
from setpoint.testing.systemd import Systemd
from setpoint.values import Ref, Text

EXAMPLES = int(os.environ.get("SETPOINT_EXAMPLES", "120"))
FIRST = int(os.environ.get("SETPOINT_SEED", "0"))
AT_ONCE = 20  # examples in one test
PATIENCE = 15.0  # seconds for one of them
CHUNKS = range(FIRST, FIRST + EXAMPLES, AT_ONCE)
PLUGINS = Plugins()
TEXTS = ("", "one\n", "two\nlines\n", "no end")
MODES = ("", "", "0600", "0644", "0755", "u=rwx,go=")
POLICIES = (None, None, "hold", "fire", "drop")


def kind(name: str, /, resource: str, **params: Any) -> Resource:
    """Return a resource of the installed kind `name`."""
    return PLUGINS.kind(name)(resource, **params)


class Drawn:
    """A graph and a machine, below `root`; `random` decides.

    Everything that touches the same paths is in one of several areas, and ordered in there: what is not ordered is
    independent. A calm graph does not contradict itself, so that after a run there is nothing left to do.
    """

    def __init__(self, root: Path, random: Random, more: "Accounts | Units | None") -> None:
        self.root, self.random, self.more = root, random, more
        self.names = more.NAMES if isinstance(more, Accounts) else ()
        self.calm = random.random() < 0.5

    # -- the machine

    def disturb(self) -> None:
        """Make files, directories and links, and what files are copied from."""
        for area in range(5):
            (self.root / f"area{area}").mkdir(parents=True)
        (self.root / "source/deep").mkdir(parents=True)
        (self.root / "source/f").write_text("of the source\n")
        (self.root / "source/deep/b").write_text("deep\n")
        for _ in range(self.random.randrange(12)):
            path = Path(self._path(self.random.randrange(3)))
            if path.parent.is_dir() and not os.path.lexists(path):
                self._make(path)

    def _make(self, path: Path) -> None:
        what = self.random.choice(["file", "file", "directory", "directory", "link"])
        if what == "directory":
            path.mkdir()
        elif what == "file":
            path.write_text(self.random.choice(TEXTS))
        else:
            path.symlink_to("nowhere" if self.calm else self.random.choice(["a", "nowhere"]))
            return
        path.chmod(self.random.choice([0o600, 0o644, 0o755]))

    def _path(self, area: int, depth: int = 0) -> str:
        letters = "abc" if area != 1 else "ab"
        parts = [self.random.choice(letters) for _ in range(depth or self.random.randint(1, 3))]
        return "/".join((str(self.root), f"area{area}", *parts))

    # -- the graph

    def graph(self) -> Graph:
        """Return the graph."""
        areas = [self._files(area) for area in range(3)] + [self._commands(area) for area in (3, 4)]
        areas += [self._listeners()]
        if self.more:
            areas.append(self.more.area(self))
            gone = {r.name for r in areas[-1] if getattr(r, "state", "") == "absent"}
            if self.calm:  # what is absent owns nothing
                areas[:3] = [[f for f in area if f.owner not in gone] for area in areas[:3]]  # type: ignore[attr-defined]
        graph = Graph("drawn")
        for area in areas:
            graph.add(*area)
            for first, then in pairwise(area):
                graph.connect(Edge(first.id, then.id, self._policy()))
        self._connect(graph, [r for area in areas for r in area])
        if self.random.random() < 0.8 or self.names:  # owners before what they own
            connect(graph)
        return graph

    def _policy(self) -> Any:
        return self.random.choice(POLICIES)

    def _connect(self, graph: Graph, resources: list[Resource]) -> None:
        """Add edges, and values that travel, between areas."""
        place = {resource.id: n for n, resource in enumerate(resources)}
        for _ in range(self.random.randrange(len(resources) * 2) if len(resources) > 1 else 0):
            first, then = sorted(self.random.sample(resources, 2), key=lambda r: place[r.id])
            graph.connect(Edge(first.id, then.id, self._policy()))
            if self.random.random() < 0.3 and first.kind in SENDS and self._receives(then):
                self._send(graph, first, then)

    def _receives(self, resource: Resource) -> bool:
        return resource.kind == "file" and bool(resource.content)  # type: ignore[attr-defined]

    def _send(self, graph: Graph, first: Resource, then: Resource) -> None:
        field = self.random.choice(SENDS[first.kind])
        graph.receives[then.id] = {"content": Text(("got ", Ref(first.id, field)))}

    def meta(self) -> Meta:
        if self.random.random() < 0.85:
            return Meta()
        return self.random.choice([Meta(noop=True), Meta(retry=1), Meta(timeout=30)])

    def several(self, most: int, draw: Callable[[], Resource | None]) -> list[Resource]:
        found: dict[str, Resource] = {}
        for _ in range(self.random.randint(0, most)):
            resource = draw()
            if resource is not None:
                found.setdefault(resource.id.rstrip("/"), resource)
        return list(found.values())

    # -- files

    def _files(self, area: int) -> list[Resource]:
        files = self.several(7, lambda: self._file(self._path(area)))
        if self.calm or self.random.random() < 0.6:
            files.sort(key=lambda file: file.name)
        if self.calm:
            self._calm_down(files)
        return files

    def _calm_down(self, files: list[Resource]) -> None:
        """Take out what contradicts others: what lies below what is no directory."""
        for file in list(files):
            above = [f for f in files if f is not file and f"{file.name}".startswith(f.at + "/")]  # type: ignore[attr-defined]
            bad = [f for f in above if not f.is_directory or f.state == "absent" or f.source]  # type: ignore[attr-defined]
            if bad or (file.source and not file.symlink):  # type: ignore[attr-defined]
                files.remove(file)

    def _file(self, path: str) -> Resource | None:
        draw = self.random.choice
        flags = {flag: self.random.random() < 0.4 for flag in ("recurse", "force")}
        common = {**flags, "mode": draw(MODES), "meta": self.meta()}
        forms: list[tuple[str, dict[str, Any]]] = [
            (path, {"content": draw(TEXTS)}),
            (path, {"content": draw(TEXTS), "owner": draw(self.names or ("",))}),
            (path, {"state": "exists"}),
            (path, {"state": "absent", "mode": ""}),
            (f"{path}/", {"state": "absent", "mode": ""}),
            (f"{path}/", {"purge": flags["recurse"] and draw([True, False])}),
            (f"{path}/", {"source": f"{self.root}/source/", "recurse": True}),
            (path, {"source": f"{self.root}/source/f", "mode": ""}),
            (path, {"source": self._path(0), "mode": ""}),
            (path, {"symlink": True, "source": draw(["a", "b"]), "mode": ""}),
        ]
        name, params = draw(forms)
        try:
            return kind("file", name, **{**common, **params})
        except ParamError:  # some do not go together
            return None

    # -- commands

    def _commands(self, area: int) -> list[Resource]:
        return self.several(4, lambda: self._command(area))

    def _command(self, area: int) -> Resource:
        flag = f"{self.root}/area{area}/{self.random.choice('abc')}"
        other = f"{self.root}/area{area}/{self.random.choice('abc')}"
        guards: list[dict[str, Any]] = [
            {},
            {"creates": flag},
            {"unless": f"test -e {flag}"},
            {"creates": flag, "onlyif": f"test ! -e {other}"},
            {"refresh_only": True},
        ]
        commands = [f"touch {flag}", f"touch {flag}", f"echo x >> {flag}; echo said"]
        if not self.calm:
            commands += [f"rm -f {flag}", "false", f"touch {flag}; exit 3"]
        cmd = self.random.choice(commands)
        name = f"{area} {self.random.randrange(1000)}"
        return kind(
            "exec", name, cmd=cmd, shell=True, meta=self.meta(), **self.random.choice(guards)
        )

    def _listeners(self) -> list[Resource]:
        return self.several(3, lambda: kind("noop", self.random.choice("xyz"), meta=self.meta()))


SENDS = {"file": ("path", "sha256"), "exec": ("stdout",)}


def _named(resource: Any) -> tuple[str, ...]:
    return tuple(getattr(resource, "groups", None) or getattr(resource, "members", None) or ())


# -- a run, and what was said of it


class Ran(NamedTuple):
    """What a run did."""

    events: list[Event]
    result: Result

    def changed(self, *, applied: bool) -> dict[str, Changed]:
        return {e.id: e for e in self.events if isinstance(e, Changed) and e.applied == applied}

    @property
    def refreshed(self) -> dict[str, Refreshed]:
        return {e.id: e for e in self.events if isinstance(e, Refreshed)}


async def run(graph: Graph, host: Host) -> Ran:
    """Apply `graph`."""
    events: list[Event] = []
    options = Options(watch=False, converged_timeout=0)
    engine = Engine(graph, plugins=PLUGINS, host=host, options=options)
    engine.listen(events.append)
    async with asyncio.timeout(PATIENCE):
        return Ran(events, await engine.run())


class Said:
    """A plan, held against the run that followed."""

    def __init__(self, found: Plan, graph: Graph, ran: Ran) -> None:
        self.found, self.graph, self.ran = found, graph, ran
        self.steps = {step.id: step for step in found.steps}
        self.open = {doubt.id for doubt in found.doubts}
        self.open |= {step.id for step in found.steps if step.after or step.pending}
        self.open |= {trouble.id for trouble in found.troubles if trouble.after}
        self.refreshes = {refresh.id: refresh for refresh in found.refreshes}
        self.failing = {trouble.id for trouble in found.troubles if not trouble.after}
        self.retried = {
            e.id for e in ran.events if isinstance(e, Failed)
        }  # part of it is done then
        self.wrong: list[str] = []

    def check(self) -> list[str]:
        """Return all that was not as it was said."""
        result = self.ran.result
        self._failures(dict(result.failed), dict(result.blocked))
        for id_ in self.graph.resources:
            if id_ not in result.failed and id_ not in result.blocked:
                self._change(id_)
                self._refresh(id_)
        self._order()
        return self.wrong

    def _failures(self, failed: dict[str, str], blocked: dict[str, str]) -> None:
        foreseen = {one.id for one in self.found.blocked}
        self._hold(self.failing <= failed.keys(), f"{self.failing} did not all fail: {failed}")
        self._hold(foreseen <= blocked.keys(), f"{foreseen} are not all blocked: {blocked}")
        may_fail = self.failing | self.open | self.steps.keys() | self.refreshes.keys()
        for id_, why in failed.items():
            self._hold(id_ in may_fail, f"{id_} failed out of the blue: {why}")
        for id_, by in blocked.items():
            first = id_  # of those in its way, the one that waits for a failed one, or for a value
            while by in blocked and blocked[by] != by:
                first, by = by, blocked[by]
            is_said = by in failed or first in self.open | foreseen
            self._hold(is_said, f"{id_} is blocked by {by}")

    def _change(self, id_: str) -> None:
        changed = self.ran.changed(applied=True)
        if id_ in self.open or id_ in self.retried:
            return
        step = self.steps.get(id_)
        if step is None:
            self._hold(id_ not in changed, f"{id_} changed: {changed.get(id_)}")
            return
        did = (self.ran.changed(applied=False) if step.noop else changed).get(id_)
        self._hold(did is not None and did.changes == step.changes, f"{id_}: {step} but {did}")

    def _refresh(self, id_: str) -> None:
        said, did = self.refreshes.get(id_), self.ran.refreshed.get(id_)
        by = set(did.by) if did else set()
        upset = self._upset()
        if said is None:
            self._hold(did is None, f"{id_} was refreshed by {by}")
            return
        must, may = set(said.by) - upset, {*said.by, *said.perhaps}
        self._hold(must <= by <= may, f"{id_} was refreshed by {by}: {said}")

    def _upset(self) -> set[str]:
        """Return what fails or is blocked, and what might have passed on what was to come of it."""
        found = {*self.ran.result.failed, *self.ran.result.blocked}
        for id_ in self.graph.order():
            before = [e.first for e in self.graph.edges.values() if e.notify and e.then == id_]
            if not found.isdisjoint(before):
                found.add(id_)
        return found

    def _order(self) -> None:
        told = [e for e in self.ran.events if isinstance(e, (Changed, Refreshed))]
        last = {event.id: n for n, event in enumerate(told)}
        first = {event.id: n for n, event in reversed(list(enumerate(told)))}
        for one, then in self.graph.edges:
            if one in last and then in first:
                self._hold(last[one] < first[then], f"{then} came before {one}")
        planned = {step.id: n for n, step in enumerate(self.found.refreshes)}
        for one, then in self.graph.edges:
            if one in planned and then in planned:
                self._hold(planned[one] < planned[then], f"{then} is planned before {one}")

    def _hold(self, is_true: bool, what: str) -> None:
        if not is_true:
            self.wrong.append(what)


def rest(found: Plan) -> list[str]:
    """Return what a plan after a run that went well still has to do; commands without guards run each time."""
    again = {s.id for s in found.steps if s.id.startswith("exec ")}
    left = [f"{s}" for s in found.steps if not (s.id in again or s.noop or s.after or s.pending)]
    return left + [f"{t}" for t in found.troubles if not t.after]


def told(found: Plan, graph: Graph, ran: Ran) -> list[str]:
    """Return what a person needs to understand a difference."""
    declared = [f"{r.id}: {msgspec.structs.asdict(r)}" for r in graph.resources.values()]
    parts = (*found.steps, *found.refreshes, *found.doubts, *found.troubles, *found.blocked)
    return [*declared, *map(str, (*graph.edges.values(), *parts, *ran.events, ran.result))]


async def hold(root: Path, seed: int, more: "Accounts | Units | None" = None) -> tuple[int, int]:
    """Draw an example, plan and run it twice; return how many statements were open, and how many there were."""
    random = Random(seed)
    drawn = Drawn(root, random, more)
    drawn.disturb()
    if more:
        more.draw(random)
    state = random.getstate()
    open_, all_, went_well = 0, 0, False
    for turn in range(2):
        random.setstate(state)  # the same graph again: engines keep the resources of theirs
        host = Host(state=root / "state")
        try:
            graph = drawn.graph()
            graph.order()
            found = await plan(graph, plugins=PLUGINS, host=host)
            ran = await run(graph, host)
        except CycleError:
            break
        finally:
            host.close()
        again = f"SETPOINT_SEED={seed} SETPOINT_EXAMPLES=1, turn {turn}"
        wrong = Said(found, graph, ran).check()
        if turn and drawn.calm and went_well:
            wrong += [f"left after a run: {one}" for one in rest(found)]
        assert not wrong, "\n".join((again, *wrong, *told(found, graph, ran)))
        went_well = ran.result.ok
        open_ += len(found.doubts) + sum(bool(s.after or s.pending) for s in found.steps)
        all_ += len(graph.resources)
    return open_, all_


async def hold_all(
    place: Path, first: int, more: "Accounts | Units | None" = None, most: int = AT_ONCE
) -> None:
    open_, all_ = 0, 0
    for seed in range(first, min(first + most, FIRST + EXAMPLES)):
        told = await hold(place / str(seed), seed, more)
        open_, all_ = open_ + told[0], all_ + told[1]
        shutil.rmtree(place / str(seed))
    assert open_ < all_ / 2 or EXAMPLES < AT_ONCE, f"{open_} of {all_} were left open"


@pytest.mark.parametrize("first", CHUNKS)
@pytest.mark.timeout(300)
async def test_files_and_commands_do_what_their_plan_says(tmp_path: Path, first: int) -> None:
    await hold_all(tmp_path, first)


class Accounts:
    """Users and groups in the files of a namespace, which are drawn anew for each example."""

    NAMES = ("plana", "planb", "planc")
    FILES = ("passwd", "group", "shadow", "gshadow")

    def __init__(self) -> None:
        self._before = {name: Path("/etc", name).read_text() for name in self.FILES}

    def draw(self, random: Random) -> None:
        """Have some of the users and groups, each with a number of its own."""
        text = dict(self._before)
        for number, name in enumerate(self.NAMES, 3000):
            shutil.rmtree(f"/home/{name}", ignore_errors=True)
            has_group, has_user = random.random() < 0.5, random.random() < 0.4
            if has_group or has_user:
                members = ",".join(random.sample(self.NAMES, random.randint(0, 1)))
                text["group"] += f"{name}:x:{number}:{members}\n"
                text["gshadow"] += f"{name}:!::{members}\n"
            if has_user:
                text["passwd"] += f"{name}:x:{number}:{number}::/home/{name}:/bin/sh\n"
                text["shadow"] += f"{name}:!:19000:0:99999:7:::\n"
        for name, content in text.items():
            Path("/etc", name).write_text(content)

    def area(self, drawn: Drawn) -> list[Resource]:
        """Return users and groups."""
        found = drawn.several(5, lambda: self._account(drawn))
        if drawn.calm:
            gone = {r.name for r in found if r.state == "absent"}  # type: ignore[attr-defined]
            found = [r for r in found if r.state == "absent" or gone.isdisjoint(_named(r))]  # type: ignore[attr-defined]
        return found

    def _account(self, drawn: Drawn) -> Resource:
        draw, sample = drawn.random.choice, drawn.random.sample
        name, state = draw(self.NAMES), draw(["exists", "exists", "absent"])
        several = tuple(sample(self.NAMES, draw([0, 1, 2])))
        membership = "additive" if drawn.calm else draw(["additive", "exact"])
        common = {"state": state, "membership": membership, "meta": drawn.meta()}
        number = draw([None, None, 3000 + self.NAMES.index(name)])
        if draw([True, False]):
            members = None if drawn.calm else draw([None, several])
            return kind("group", name, gid=number, members=members, **common)
        more = {"comment": draw([None, "who"]), "shell": draw(["", "/bin/sh"])}
        more |= {"groups": draw([None, several]), "create_home": draw([True, False])}
        return kind("user", name, uid=number, remove_home=draw([True, False]), **more, **common)


def _named(resource: Any) -> set[str]:
    members = getattr(resource, "groups", None) or getattr(resource, "members", None) or ()
    return {resource.name, *members}


class Units:
    """Services of a systemd that runs, drawn anew for each example."""

    NAMES = ("plan-a", "plan-b", "plan-c")
    FORMS = (
        "[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=default.target\n",
        "[Service]\nExecStart=/bin/sleep 1001\n[Install]\nWantedBy=default.target\n",
        "[Service]\nExecStart=/bin/sleep 1000\n",
        "[Service]\nType=oneshot\nExecStart=/bin/false\n",
    )

    def __init__(self, systemd: Systemd) -> None:
        self._systemd = systemd

    def draw(self, random: Random) -> None:
        """Have some of the services, and have some of those run."""
        units = [f"{name}.service" for name in self.NAMES]
        self._systemctl("stop", *units)
        for directory in ("/etc/systemd/system", "/run/systemd/system"):
            for path in Path(directory).rglob("plan-*"):
                path.unlink()
        for unit in units:
            if random.random() < 0.8:
                Path("/etc/systemd/system", unit).write_text(random.choice(self.FORMS))
        self._systemctl("daemon-reload")
        self._systemctl("reset-failed")
        for verb in ("start", "enable", "mask --runtime"):
            self._systemctl(*verb.split(), *random.sample(units, random.choice([0, 0, 1])))

    def _systemctl(self, verb: str, *words: str) -> None:
        if words or verb in ("reset-failed", "daemon-reload"):
            command = self._systemd.command(["systemctl", verb, *words])
            subprocess.run(command, capture_output=True, check=False)  # of some there is no file

    def area(self, drawn: Drawn) -> list[Resource]:
        """Return services, and files of some."""
        draw = drawn.random.choice
        files = drawn.several(
            2,
            lambda: kind(
                "file",
                f"/etc/systemd/system/{draw(self.NAMES)}.service",
                content=draw(self.FORMS),
                meta=drawn.meta(),
            ),
        )
        return files + drawn.several(
            3,
            lambda: kind(
                "svc",
                draw(self.NAMES),
                state=draw([None, "running", "stopped"]),
                startup=draw([None, "enabled", "disabled"]),
                meta=drawn.meta(),
            ),
        )


@pytest.mark.root
@pytest.mark.parametrize("first", CHUNKS)
@pytest.mark.timeout(300)
async def test_users_and_groups_do_what_their_plan_says(
    tmp_path: Path, private: Callable[..., None], first: int
) -> None:
    private("/etc", "/home", "/var/mail")
    await hold_all(tmp_path, first, Accounts())


@pytest.mark.root
@pytest.mark.parametrize("first", CHUNKS[::10])  # a real systemd takes its time
@pytest.mark.timeout(300)
async def test_services_do_what_their_plan_says(
    tmp_path: Path, inside_systemd: Systemd, first: int
) -> None:
    await hold_all(tmp_path, first, Units(inside_systemd), most=10)
