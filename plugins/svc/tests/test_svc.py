"""The svc resource, against a systemd that runs."""

import asyncio
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from setpoint import Need, ParamError, Refused, Thing
from setpoint.engine.events import Changed, Converged, Failed
from setpoint.host import Host
from setpoint.testing.lives import as_nobody
from setpoint.testing.resources import ResourceSuite
from setpoint.testing.systemd import Systemd
from setpoint_svc import Svc

pytestmark = pytest.mark.root

SLEEPER = """
    [Service]
    ExecStart=/bin/sleep 1000
    [Install]
    WantedBy=default.target
"""
BROKEN = """
    [Service]
    ExecStartPre=/bin/sh -c 'echo no database; exit 3'
    ExecStart=/bin/sleep 1000
"""
Make = Callable[..., Svc]


@pytest.fixture(scope="module")
def session(systemd: Systemd) -> Systemd:
    systemd.session()
    return systemd


@pytest.fixture(autouse=True)
def inside(session: Systemd) -> Iterator[Systemd]:
    with session.inside():
        yield session


@pytest.fixture
def make(host: Host) -> Make:
    """Makes a resource as a graph file does: checked, on the host of this test."""

    def make(name: str, /, **params: Any) -> Svc:
        resource = msgspec.convert({"name": name, **params}, Svc)
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


async def repaired(resource: Svc) -> list[str]:
    return [change.attribute for change in await resource.check_apply(apply=True)]


@pytest.mark.timeout(60)  # what is killed or cancelled anywhere is begun forty times
class TestSvc(ResourceSuite):
    refuses_others = True

    @pytest.fixture
    def resource(self, host, inside) -> Iterator[Svc]:
        inside.unit("suite.service", SLEEPER)
        yield Svc("suite", state="running", startup="enabled", _host=host)
        systemctl_now("disable", "--now", "suite.service")

    async def disturb(self, resource):
        await systemctl("stop", resource.unit)

    async def undo(self, resource):
        await systemctl("disable", "--now", resource.unit)

    def observe(self, resource):
        return systemctl_now("show", resource.unit, "--property=ActiveState,UnitFileState")


# Its state.


async def test_a_unit_is_started_and_stopped(make, inside):
    inside.unit("state.service", SLEEPER)
    up, down = make("state", state="running"), make("state", state="stopped")
    assert await repaired(up) == ["state"]
    assert await systemctl("is-active", "state") == "active"
    assert await repaired(up) == []
    assert await repaired(down) == ["state"]
    assert await systemctl("is-active", "state") == "inactive"
    assert await repaired(down) == []


async def test_what_is_not_declared_is_left_alone(make, inside):
    inside.unit("other.service", SLEEPER)
    assert await repaired(make("other", state="running")) == ["state"]
    assert await systemctl("is-enabled", "other") == "disabled"
    assert await repaired(make("other", startup="enabled")) == ["startup"]
    await systemctl("stop", "other")
    assert await repaired(make("other", startup="enabled")) == []
    assert await systemctl("is-active", "other") == "inactive"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("any.socket", "[Socket]\nListenStream=/run/any.socket\n[Install]\nWantedBy=default.target"),
        ("any.timer", "[Timer]\nOnCalendar=yearly\n[Install]\nWantedBy=timers.target"),
        ("any.path", "[Path]\nPathExists=/none\n[Install]\nWantedBy=default.target"),
        ("any.target", "[Unit]\nDescription=any\n[Install]\nWantedBy=default.target"),
        ("any-mount.mount", "[Mount]\nWhat=tmpfs\nWhere=/any/mount\nType=tmpfs\n[Install]\nWantedBy=default.target"),
    ],
)  # fmt: skip
async def test_each_type_of_unit_is_kept_by_its_full_name(make, inside, name, text):
    inside.unit(name, text)
    inside.unit("any.service", SLEEPER)
    unit = make(name, state="running", startup="enabled")
    assert await repaired(unit) == ["startup", "state"]
    assert await repaired(unit) == []
    assert (await unit.send()).active_state == "active"
    assert (await unit.send()).main_pid == 0
    assert await repaired(make(name, state="stopped", startup="disabled")) == ["startup", "state"]


async def test_an_instance_of_a_template_is_a_unit(make, inside):
    inside.unit("each@.service", SLEEPER)
    one = make("each@one", state="running", startup="enabled")
    assert await repaired(one) == ["startup", "state"]
    assert await repaired(one) == []
    assert await systemctl("is-active", "each@two") == "inactive"
    assert await repaired(make("each@one", state="stopped", startup="disabled"))


async def test_a_unit_is_kept_by_its_alias(make, inside, engine):
    inside.unit("named.service", SLEEPER + "\nAlias=alias.service")
    await systemctl("enable", "named")
    async with engine.keeping(make("alias", state="running")) as kept:
        await systemctl("stop", "named")
        await kept.told(Changed)
        await kept.told(Converged)
    assert await systemctl("is-active", "named") == "active"


# Whether it is enabled.


async def test_a_unit_is_enabled_masked_and_disabled(make, inside):
    (inside.root / "usr/lib/systemd/system/vendor.service").write_text(
        "[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=default.target\n"
    )
    for startup in ("enabled", "masked", "disabled", "masked", "enabled"):
        unit = make("vendor", startup=startup)
        assert await repaired(unit) == ["startup"]
        assert await systemctl("is-enabled", "vendor") == startup
        assert await repaired(unit) == []
    assert "vendor.service" in await systemctl("show", "default.target", "--property=Wants")


async def test_enabled_until_the_next_boot_is_not_enabled(make, inside):
    inside.unit("runtime.service", SLEEPER)
    await systemctl("enable", "--runtime", "runtime")
    assert await repaired(make("runtime", startup="enabled")) == ["startup"]
    assert await systemctl("is-enabled", "runtime") == "enabled"


async def test_a_unit_that_is_changed_outside_is_enabled_again(make, inside, engine):
    inside.unit("kept.service", SLEEPER)
    async with engine.keeping(make("kept", startup="enabled")) as kept:
        await systemctl("disable", "kept")
        await kept.told(Changed)
        await kept.told(Converged)
    assert await systemctl("is-enabled", "kept") == "enabled"


# Its unit file.


async def test_a_changed_unit_file_is_read(make, inside, engine):
    inside.unit("edited.service", SLEEPER)
    edited = make("edited", state="running")
    async with engine.keeping(edited) as kept:
        inside.unit("edited.service", SLEEPER.replace("1000", "2000"))
        assert (await kept.told(Changed)).changes[0].attribute == "daemon_reload"
        await kept.told(Converged)
        await edited.refresh()
    assert "2000" in await systemctl("show", "edited", "--property=ExecStart")
    pid = (await edited.send()).main_pid
    arguments = (inside.root / f"proc/{pid}/cmdline").read_bytes()
    assert arguments == b"/bin/sleep\x002000\x00"


async def test_a_new_unit_file_is_read_before_the_start(make, inside):
    inside.unit("wants.target", "[Unit]\nWants=fresh.service")
    await systemctl("start", "wants.target")  # so that systemd remembers that there is none
    inside.unit("fresh.service", SLEEPER)
    assert (await repaired(make("fresh", state="running")))[-1] == "state"
    assert await systemctl("is-active", "fresh") == "active"


# What a notification does.


async def test_a_notification_restarts_what_cannot_reload(make, inside):
    inside.unit("restarts.service", SLEEPER)
    unit = make("restarts", state="running")
    await repaired(unit)
    first = (await unit.send()).main_pid
    await unit.refresh()
    assert (await unit.send()).main_pid == first, "it has just been started"
    await repaired(unit)
    await unit.refresh()
    assert (await unit.send()).main_pid != first


async def test_a_notification_reloads_what_can(make, inside):
    inside.unit("reloads.service", SLEEPER + "\n[Service]\nExecReload=/bin/touch /run/reloaded")
    unit = make("reloads", state="running")
    await repaired(unit)
    await repaired(unit)
    first = (await unit.send()).main_pid
    await unit.refresh()
    assert (await unit.send()).main_pid == first
    assert os.path.exists("/run/reloaded")
    restarting = make("reloads", on_refresh="restart")
    await repaired(restarting)
    await restarting.refresh()
    assert (await unit.send()).main_pid != first


async def test_a_notification_starts_nothing(make, inside):
    inside.unit("down.service", SLEEPER)
    for on_refresh in ("reload-or-try-restart", "reload", "restart", "nothing"):
        await make("down", on_refresh=on_refresh).refresh()
    assert await systemctl("is-active", "down") == "inactive"


async def test_a_unit_that_cannot_reload_says_so(make, inside):
    inside.unit("stubborn.service", SLEEPER)
    unit = make("stubborn", state="running", on_refresh="reload")
    await repaired(unit)
    await repaired(unit)
    with pytest.raises(OSError, match="ReloadUnit was refused: Job type reload is not applicable"):
        await unit.refresh()


async def test_another_main_process_is_news(make, inside):
    inside.unit("replaced.service", SLEEPER)
    unit = make("replaced", state="running")
    await repaired(unit)
    news = aiter(unit.watch())
    await anext(news)
    first = (await unit.send()).main_pid
    await systemctl("restart", "replaced")
    async with asyncio.timeout(5):
        while (await unit.send()).main_pid == first:
            await anext(news)
    await news.aclose()


# What fails.


async def test_a_start_that_fails_says_why_in_the_words_of_the_journal(make, inside):
    inside.unit("broken.service", BROKEN)
    with pytest.raises(OSError, match="broken") as caught:
        await repaired(make("broken", state="running"))
    first, *lines = str(caught.value).splitlines()
    assert first == "broken.service failed: exit code 3, /bin/sh"
    assert "  no database" in lines


@pytest.mark.parametrize(
    ("service", "why"),
    [
        ("Type=exec\nExecStart=/none", "exit code 203 (EXEC), /none"),
        ("Type=notify\nExecStart=/bin/sh -c 'kill -9 $$$$'", "killed by SIGKILL, /bin/sh"),
        ("Type=notify\nExecStart=/bin/sleep 9\nTimeoutStartSec=0.1", "it took longer than it may"),
        ("Type=notify\nExecStart=/bin/true", "it did not say that it is ready, as its type demands"),
    ],
)  # fmt: skip
async def test_what_became_of_a_unit_is_said_once(make, inside, service, why):
    inside.unit("story.service", f"[Service]\n{service}")
    await systemctl("daemon-reload")
    with pytest.raises(OSError, match="story") as caught:
        await repaired(make("story", state="running"))
    assert str(caught.value).splitlines()[0] == f"story.service failed: {why}"


async def test_a_reload_that_fails_says_why(make, inside):
    inside.unit("strict.service", SLEEPER + "\n[Service]\nExecReload=/bin/sh -c 'exit 4'")
    unit = make("strict", state="running")
    await repaired(unit)
    await repaired(unit)
    why = "systemd could not reload-or-try-restart strict.service: exit code 4, /bin/sh"
    with pytest.raises(OSError, match=why):
        await unit.refresh()


async def test_what_a_unit_requires_and_failed_is_told(make, inside):
    inside.unit("base.service", BROKEN)
    inside.unit("upper.service", f"[Unit]\nRequires=base.service\nAfter=base.service\n{SLEEPER}")
    why = "could not start upper.service: something that it requires failed"
    with pytest.raises(OSError, match=why):
        await repaired(make("upper", state="running"))


async def test_what_systemd_gave_up_is_started_once_it_is_mended(make, inside):
    crash = "/bin/sh -c 'echo the old one; exit 1'"
    inside.unit("mended.service", f"[Service]\nExecStart={crash}\nRestart=always\nRestartSec=0")
    await systemctl("start", "mended")
    while await systemctl("is-active", "mended") != "failed":
        pass
    inside.unit("mended.service", SLEEPER)
    assert await repaired(make("mended", state="running")) == ["daemon_reload", "state"]
    assert await systemctl("is-active", "mended") == "active"


async def test_of_the_journal_only_what_is_new_is_shown(make, inside):
    inside.unit(
        "news.service",
        "[Service]\nType=exec\nExecStartPre=/bin/sh -c 'echo old; exit 1'\nExecStart=/none",
    )
    await systemctl("start", "news")
    inside.unit("news.service", "[Service]\nType=exec\nExecStartPre=/bin/echo new\nExecStart=/none")
    with pytest.raises(OSError, match="  new") as caught:
        await repaired(make("news", state="running"))
    assert "  old" not in str(caught.value).splitlines()


async def test_notifications_restart_more_often_than_people_may(make, inside):
    inside.unit("often.service", SLEEPER)
    often = make("often", state="running")
    await repaired(often)
    await repaired(often)
    for _ in range(8):
        await often.refresh()
    assert await systemctl("is-active", "often") == "active"


async def test_a_unit_that_fails_is_not_hammered(make, inside, engine):
    inside.unit("hopeless.service", BROKEN + "\n[Unit]\nStartLimitIntervalSec=0")
    hopeless = make("hopeless", state="running")
    result = await engine.converge(hopeless)
    assert not result.ok
    for _ in range(10):
        with pytest.raises((OSError, Refused)):
            await repaired(hopeless)
    with pytest.raises(Refused, match="fails right after it is started, 3 times in 60 s"):
        await repaired(hopeless)
    starts = await systemctl("show", "hopeless", "--property=InvocationID")
    with pytest.raises(Refused):
        await repaired(hopeless)
    assert await systemctl("show", "hopeless", "--property=InvocationID") == starts
    inside.unit("hopeless.service", SLEEPER)
    hopeless.memory["notified"] = True  # by something that may have mended it
    assert await repaired(hopeless) == ["daemon_reload", "state"]


async def test_a_unit_that_systemd_has_given_up_is_left_alone(make, inside):
    command = "/bin/sh -c 'echo >> /run/given-up; exit 1'"
    inside.unit("given-up.service", f"[Service]\nExecStart={command}\nRestart=always\nRestartSec=0")
    given_up = make("given-up", state="running")
    for _ in range(20):
        with suppress(OSError, Refused):
            await repaired(given_up)
    with pytest.raises(Refused, match="fails right after it is started"):
        await repaired(given_up)
    with open("/run/given-up") as lines:
        assert len(lines.readlines()) == 10  # as often as systemd allows, and once more


async def test_a_unit_that_crashes_again_and_again_is_left_to_systemd(make, inside):
    unlimited = "[Unit]\nStartLimitIntervalSec=0"
    always = "Restart=always\nRestartSec=0.05"
    inside.unit("loops.service", f"{unlimited}\n[Service]\nExecStart=/bin/false\n{always}")
    await systemctl("start", "loops")
    while int(await systemctl("show", "--value", "--property=NRestarts", "loops")) < 3:
        pass
    loops = make("loops", state="running")
    with pytest.raises(Refused, match="again and again, systemd has restarted it"):  # noqa: PT012
        while True:  # it is up in between, or just being started
            with suppress(OSError):
                await repaired(loops)
    assert await repaired(make("loops", state="stopped")) == ["state"]


async def test_a_unit_that_runs_once_is_not_kept_running(make, inside):
    inside.unit("once.service", "[Service]\nType=oneshot\nExecStart=/bin/touch /run/once")
    with pytest.raises(
        Refused, match=r"ends when its work is done.*RemainAfterExit=yes, or a timer"
    ):
        await repaired(make("once", state="running"))
    assert not os.path.exists("/run/once")


async def test_a_unit_without_install_section_is_not_enabled(make, inside):
    inside.unit("static.service", "[Service]\nExecStart=/bin/sleep 1000")
    with pytest.raises(Refused, match="it is static: its file has no \\[Install\\] section"):
        await repaired(make("static", startup="enabled"))
    assert await repaired(make("static", startup="disabled")) == []


async def test_a_masked_unit_is_not_started(make, inside):
    await systemctl("mask", "masked-one.service")
    with pytest.raises(Refused, match="is masked; take the mask away with startup: enabled"):
        await repaired(make("masked-one", state="running"))


async def test_an_unknown_unit_is_named_with_the_nearest_one(make, inside):
    inside.unit("nginx.service", SLEEPER)
    with pytest.raises(Refused, match=r"no unit 'ngnix\.service'; did you mean 'nginx\.service'\?"):
        await repaired(make("ngnix", state="running"))


async def test_one_that_is_like_no_other_is_not_compared_by_its_type(make):
    with pytest.raises(
        Refused, match=r"no unit 'qqq\.service'; install what brings it before this"
    ):
        await repaired(make("qqq", state="running"))


async def test_a_unit_whose_file_has_gone_is_told_once_and_not_hammered(make, inside, engine):
    file = inside.root / "usr/lib/systemd/system/gone.service"
    file.write_text("[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=default.target\n")
    gone = make("gone", state="running", startup="enabled")
    async with engine.keeping(gone) as kept:
        file.unlink()
        await systemctl("stop", "gone")
        await systemctl("daemon-reload")
        failed = await kept.told(Failed)
        await kept.told(Converged)
        await systemctl("daemon-reload")
        file.write_text(
            "[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=default.target\n"
        )
        await systemctl("daemon-reload")
        await kept.told(Changed)
    why = "systemd has no unit 'gone.service' any more; install again what brought it, or take this out"
    assert failed.error == why
    assert [event.error for event in engine.events if isinstance(event, Failed)] == [why]
    assert await systemctl("is-active", "gone") == "active"


async def test_a_dry_run_bears_a_unit_that_something_else_will_bring(make):
    later = make("later", state="stopped", startup="enabled")
    changes = await later.check_apply(apply=False)
    assert [str(change) for change in changes] == [
        "startup: None -> 'enabled'",
        "state: None -> 'stopped'",
    ]


async def test_without_systemd_there_is_one_clear_error(make, monkeypatch):
    monkeypatch.setattr("setpoint.dbus.manager.BOOTED", "/none")
    result = make("any", state="running", startup="enabled")
    with pytest.raises(Refused, match="systemd is not running here, found no /run/systemd/system"):
        await repaired(result)
    result.watch().start(lambda: None)


async def test_only_root_may_start_a_unit_and_everybody_may_look(inside):
    inside.unit("roots.service", SLEEPER)

    async def work(state: str) -> None:
        svc = Svc("roots", state="running", _host=Host(state=state))
        try:
            assert await svc.check_apply(apply=False)
            await svc.check_apply(apply=True)
        finally:
            svc.host.close()

    ended = await as_nobody(work)
    assert ended.sorts[0] == "Refused"
    assert ended.text.startswith("systemd allows StartUnit to root only: ")
    assert ended.text.endswith("; run this as root")


@pytest.mark.parametrize("name", ["", "a b", "x@", "a/b", "@one", "a" * 300])
def test_a_name_that_no_unit_can_have_is_refused(name):
    with pytest.raises(ParamError, match="name must"):
        Svc(name)


def test_what_is_masked_cannot_run():
    with pytest.raises(ParamError, match="state must not be 'running' with startup 'masked'"):
        Svc("any", state="running", startup="masked")


# The systemd of a user.


@pytest.fixture
def units(inside: Systemd, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory of the unit files of root's session."""
    monkeypatch.setenv("HOME", "/root")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/0")  # for systemctl
    units = Path("/root/.config/systemd/user")
    units.mkdir(parents=True, exist_ok=True)
    return units


async def test_a_unit_of_the_session_is_kept(make, units, engine):
    (units / "mine.service").write_text("\n".join(map(str.strip, SLEEPER.splitlines())))
    mine = make("mine", state="running", startup="enabled", session=True)
    async with engine.keeping(mine) as kept:
        await systemctl("--user", "stop", "mine")
        await kept.told(Changed)
        await kept.told(Converged)
        (units / "mine.service").write_text("[Service]\nExecStart=/bin/sleep 2000\n")
        await kept.told(Changed)
    assert await systemctl("--user", "is-active", "mine") == "active"
    assert await systemctl("is-active", "mine") == "inactive"
    with pytest.raises(Refused, match=r"did you mean 'mine\.service'"):
        await repaired(make("mone", state="running", session=True))


async def test_a_start_in_the_session_that_fails_says_why(make, units):
    slow = BROKEN.replace("exit 3", "sleep 0.3; exit 3")  # so that the journal knows whose it is
    (units / "broken.service").write_text("\n".join(map(str.strip, slow.splitlines())))
    with pytest.raises(OSError, match="no database"):
        await repaired(make("broken", state="running", session=True))


# What it is to others.


def test_it_waits_for_its_unit_file_and_is_notified():
    needs = list(Svc("a@b").needs())
    assert Need("path", "/etc/systemd/system/a@b.service", "its unit file", notify=True) in needs
    assert Need("path", "/lib/systemd/system/a@.service", "its unit file", notify=True) in needs
    assert [need.name for need in needs if need.what == "unit"] == ["a@b.service"]
    assert list(Svc("a.timer").provides()) == [Thing("svc", "a.timer")]


async def test_reversed_it_brings_back_what_was(make, inside):
    inside.unit("back.service", SLEEPER)
    declared = make("back", state="running", startup="enabled")
    before = await declared.reversed()
    assert (before.state, before.startup) == ("stopped", "disabled")
    assert (await make("back", state="running").reversed()).startup is None
    await repaired(declared)
    before._host = declared._host
    assert await repaired(before) == ["startup", "state"]
