"""The cron resource, against a systemd that runs."""

import asyncio
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from setpoint import Need, ParamError, Refused, Thing
from setpoint.engine.events import Changed, Converged
from setpoint.host import Host
from setpoint.testing.resources import ResourceSuite
from setpoint.testing.systemd import Systemd
from setpoint_cron import Cron

pytestmark = pytest.mark.root

Make = Callable[..., Cron]
UNITS = Path("/etc/systemd/system")
TRUE = "/bin/true"
HOUR = {"trigger": "OnActiveSec", "time": "1h", "command": TRUE}


@pytest.fixture(autouse=True)
def inside(inside_systemd: Systemd) -> Systemd:
    return inside_systemd


@pytest.fixture
def make(host: Host) -> Make:
    """Makes a resource as a graph file does: checked, on the host of this test."""

    def make(name: str, /, **params: Any) -> Cron:
        resource = msgspec.convert({"name": name, **params}, Cron)
        resource._host = host
        return resource

    return make


def systemctl_now(*words: str) -> str:
    """Return what it prints; it is asked again if systemd, as it read its files anew, hung up on it."""
    while True:
        ran = subprocess.run(["systemctl", *words], capture_output=True, text=True)
        if "endpoint is not connected" not in ran.stderr:
            return ran.stdout.strip()


async def systemctl(*words: str) -> str:
    return await asyncio.to_thread(systemctl_now, *words)


async def until(happened: Callable[[], object]) -> None:
    while not happened():  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.01)


async def repaired(resource: Cron) -> list[str]:
    return [change.attribute for change in await resource.check_apply(apply=True)]


@pytest.mark.timeout(60)  # what is killed or cancelled anywhere is begun forty times
class TestCron(ResourceSuite):
    @pytest.fixture
    def resource(self, host) -> Iterator[Cron]:
        yield Cron("suite", time="yearly", command=TRUE, _host=host)
        self.take_away()

    async def disturb(self, resource):
        await systemctl("stop", resource.timer)

    async def undo(self, resource):
        await asyncio.to_thread(self.take_away)

    def take_away(self):
        systemctl_now("disable", "--now", "--no-reload", "suite.timer")
        for name in ("suite.timer", "suite.service"):
            (UNITS / name).unlink(missing_ok=True)
        systemctl_now("daemon-reload")

    def observe(self, resource):
        found = {path.name: path.read_text() for path in UNITS.glob("suite.*")}
        return found, systemctl_now("show", resource.timer, "--property=ActiveState,UnitFileState")


async def test_a_command_is_run_at_its_time(make, inside, tmp_path):
    it = make(
        "ticks",
        trigger="OnActiveSec",
        time="50ms",
        accuracysec=0.001,
        command="/bin/sh -c 'echo \"$$WHAT $(date +%%Y) $PWD\" > /run/ticked'".replace("%%", "%"),
        env={"WHAT": 'two "words" of 100%'},
        directory="/usr",
        user="root",
    )
    assert await repaired(it) == ["ticks.service", "ticks.timer", "startup", "timer"]
    await until(lambda: Path("/run/ticked").exists() and Path("/run/ticked").read_text())
    year = time.strftime("%Y")
    assert Path("/run/ticked").read_text() == f'two "words" of 100% {year} /usr\n'
    assert (await it.send()).last_trigger == pytest.approx(time.time(), abs=10)
    assert await repaired(it) == []


async def test_a_unit_that_is_there_is_started(make, inside):
    inside.unit("work.target", "[Unit]\nDescription=work")
    it = make(
        "starts-work", unit="work.target", trigger="OnActiveSec", time="10ms", accuracysec=0.001
    )
    assert await repaired(it) == ["starts-work.timer", "startup", "timer"]
    await until(lambda: systemctl_now("is-active", "work.target") == "active")


async def test_it_says_when_it_starts_next(make):
    daily, late = make("daily", time="daily", command=TRUE), make("late", **HOUR)
    for it in (daily, late):
        assert (await it.send()).next_elapse == 0.0
        await repaired(it)
    midnight = (await daily.send()).next_elapse
    assert 0 < midnight - time.time() <= 90_000
    assert midnight % 900 == 0
    assert (await late.send()).next_elapse == pytest.approx(time.time() + 3600, abs=90)


async def test_another_time_begins_it_anew(make):
    await repaired(make("moves", **HOUR))
    moved = make("moves", **{**HOUR, "time": "2h"})
    assert await repaired(moved) == ["moves.timer"]
    assert (await moved.send()).next_elapse == pytest.approx(time.time() + 7200, abs=90)
    assert await repaired(moved) == []


async def test_a_notification_begins_it_anew(make):
    it = make("again", **HOUR)
    await repaired(it)
    first = (await it.send()).next_elapse
    await it.refresh()
    assert (await it.send()).next_elapse == pytest.approx(first, abs=0.001), "it has just begun"
    await repaired(it)
    await it.refresh()
    assert (await it.send()).next_elapse > first


async def test_absent_takes_all_of_it_away(make):
    await repaired(make("past", time="yearly", command=TRUE))
    absent = make("past", state="absent", command=TRUE)
    assert await repaired(absent) == ["past.service", "past.timer", "timer"]
    assert not list(UNITS.glob("**/past.*"))
    assert await systemctl("show", "--value", "--property=LoadState", "past.timer") == "not-found"
    assert await repaired(absent) == []


async def test_whether_it_begins_at_boot_is_kept(make):
    it = make("boots", time="yearly", command=TRUE, startup="disabled")
    assert await repaired(it) == ["boots.service", "boots.timer", "timer"]
    assert await systemctl("is-enabled", "boots.timer") == "disabled"
    assert await systemctl("is-active", "boots.timer") == "active"
    assert await repaired(make("boots", time="yearly", command=TRUE)) == ["startup"]
    assert await repaired(make("boots", time="yearly", command=TRUE, startup=None)) == []


async def test_a_timer_that_is_to_go_is_not_started_again(make):
    it = make(
        "goes",
        trigger="OnActiveSec",
        time="1ms",
        accuracysec=0.001,
        remainafterelapse=False,
        command=TRUE,
    )
    await repaired(it)
    await until(lambda: systemctl_now("is-active", "goes.timer") != "active")
    assert await repaired(it) == []


async def test_what_is_broken_outside_is_repaired(make, engine):
    it = make("kept", time="yearly", command=TRUE)
    async with engine.keeping(it) as kept:
        for break_it in (
            lambda: (UNITS / "kept.timer").unlink(),
            lambda: (UNITS / "kept.service").write_text("[Service]\nExecStart=/bin/false\n"),
            lambda: systemctl_now("stop", "kept.timer"),
            lambda: systemctl_now("disable", "kept.timer"),
        ):
            await asyncio.to_thread(break_it)
            await kept.told(Changed)
            await kept.told(Converged)
    assert await systemctl("is-active", "kept.timer") == "active"
    assert await systemctl("is-enabled", "kept.timer") == "enabled"
    assert "ExecStart=/bin/true" in (UNITS / "kept.service").read_text()


async def test_a_time_that_systemd_does_not_understand_is_refused(make):
    with pytest.raises(
        Refused, match=r"does not understand the time 'sometimes'; see what `systemd-analyze cal"
    ):
        await repaired(make("unclear", time="sometimes"))


async def test_what_it_starts_has_to_be_there(make):
    with pytest.raises(Refused, match=r"start 'nothing\.service', but systemd has no such unit"):
        await repaired(make("nothing", time="daily"))


async def test_without_systemd_there_is_one_clear_error(make, monkeypatch):
    monkeypatch.setattr("setpoint.dbus.manager.BOOTED", "/none")
    with pytest.raises(Refused, match="systemd is not running here"):
        await repaired(make("any", time="daily"))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "time must say when"),
        ({"time": "a\nb"}, "time must be one line"),
        ({"time": "daily", "user": "root"}, "command must be there with user"),
        ({"time": "daily", "command": "true", "directory": "tmp"}, "directory must be absolute"),
        ({"time": "daily", "unit": "a b"}, "unit must be the name of a unit"),
    ],
)
def test_params_that_do_not_go_together_are_refused(params, message):
    with pytest.raises(ParamError, match=message):
        Cron("it", **params)


def test_params_may_be_still_to_come():
    unset = dict.fromkeys(
        ("time", "unit", "command", "user", "directory", "description"), msgspec.UNSET
    )
    it = Cron("it", **unset)
    assert list(it.provides())
    assert list(it.needs())


def test_what_it_is_to_others():
    it = Cron("backup", time="daily", command="/usr/bin/backup", user="borg")
    assert Thing("unit", "backup.timer") in it.provides()
    assert Thing("path", "/etc/systemd/system/backup.service") in it.provides()
    assert Need("user", "borg", "the user its command runs as") in it.needs()
    other = Cron("nightly", time="daily", unit="backup")
    assert Need("svc", "backup.service", "the unit that it starts") in other.needs()
