"""The exec resource: runs when it is needed, not otherwise, and leaves nothing behind."""

import asyncio
import logging
import os
import stat
import tracemalloc
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from setpoint import Meta, ParamError
from setpoint.host import Host
from setpoint.processes import ProcessEnded
from setpoint.testing import HandClock, ResourceSuite
from setpoint_exec import Exec

Make = Callable[..., Exec]


class Listening(Host):
    """A host that keeps what is shown as progress."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.shown: list[str] = []

    def progress(self, resource: Any, text: str) -> None:
        self.shown.append(text)


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Listening]:
    host = Listening(state=tmp_path / "state", clock=HandClock())
    before = sorted(os.listdir("/proc/self/fd"))
    yield host
    host.close()
    assert sorted(os.listdir("/proc/self/fd")) == before


@pytest.fixture
def make(host: Host) -> Make:
    """Makes a resource as a graph file does: checked, on the host of this test."""

    def make(name: str = "it", /, **params: Any) -> Exec:
        resource = msgspec.convert({"name": name, **params}, Exec)
        resource._host = host
        return resource

    return make


class TestExec(ResourceSuite):
    @pytest.fixture
    def resource(self, make: Make, tmp_path: Path) -> Exec:
        made = tmp_path / "made"
        return make(
            cmd=f"echo once > {made}.new; mv {made}.new {made}", shell=True, creates=str(made)
        )

    async def disturb(self, resource: Exec) -> None:
        Path(resource.creates).unlink()


def counter(path: Path) -> dict[str, Any]:
    """Params of a command that writes a line into `path` each time it runs."""
    return {"cmd": f"echo run >> {path}", "shell": True}


def runs(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


# When it runs.


async def test_without_a_guard_it_runs_once(make: Make, tmp_path: Path) -> None:
    it = make(**counter(tmp_path / "log"))
    changes = await it.check_apply(apply=True)
    assert [str(change) for change in changes] == [f"run: None -> 'cmd echo run >> {tmp_path}/log'"]
    assert await it.check_apply(apply=True) == []
    assert runs(tmp_path / "log") == 1


async def test_looking_runs_the_guards_and_nothing_else(make: Make, tmp_path: Path) -> None:
    it = make(**counter(tmp_path / "log"), onlyif=f"echo guard >> {tmp_path}/guard")
    assert await it.check_apply(apply=False)
    assert await it.check_apply(apply=False)
    assert (runs(tmp_path / "log"), runs(tmp_path / "guard")) == (0, 2)


async def test_what_failed_is_run_again(make: Make, tmp_path: Path) -> None:
    it = make(cmd=f"echo run >> {tmp_path}/log; test -e {tmp_path}/ok", shell=True)
    with pytest.raises(ProcessEnded, match="must exit with 0, found exit code 1"):
        await it.check_apply(apply=True)
    (tmp_path / "ok").touch()
    assert await it.check_apply(apply=True)
    assert await it.check_apply(apply=True) == []
    assert runs(tmp_path / "log") == 2


async def test_another_command_runs_too(make: Make, tmp_path: Path) -> None:
    it = make(cmd=f"touch {tmp_path}/a", env={"A": "1"})
    await it.check_apply(apply=True)
    await it.recv({"cmd": f"touch {tmp_path}/b"})
    await it.check_apply(apply=True)
    assert (tmp_path / "b").exists()
    await it.recv({"env": {"A": "2"}})
    assert await it.check_apply(apply=False)


async def test_at_each_poll_it_runs_again(make: Make, host: Host) -> None:
    it = make("true", meta=Meta(poll=60))
    assert await it.check_apply(apply=True)
    assert await it.check_apply(apply=True) == []
    host.clock.now += 59.9  # type: ignore[attr-defined]
    assert await it.check_apply(apply=True)


async def test_what_it_creates_is_made_once(make: Make, tmp_path: Path) -> None:
    target = tmp_path / "made"
    it = make("touch", args=[str(target)], creates=str(target))
    assert await it.check_apply(apply=True)
    assert await it.check_apply(apply=True) == []
    target.unlink()
    assert await it.check_apply(apply=True)
    assert target.exists()


async def test_guards_must_all_agree(make: Make, tmp_path: Path) -> None:
    for onlyif, unless, wanted in [
        ("true", "", True),
        ("false", "", False),
        ("", "true", False),
        ("", "false", True),
        ("true", "true", False),
        ("true", "false", True),
    ]:
        it = make("true", onlyif=onlyif, unless=unless)
        assert bool(await it.check()) == wanted, (onlyif, unless)
        await it.check_apply(apply=True)
        assert bool(await it.check()) == wanted, "a guard has the last word"


async def test_a_guard_runs_as_the_command_does(make: Make, tmp_path: Path) -> None:
    it = make("true", shell=True, cwd=str(tmp_path), env={"A": "x"}, onlyif='test -e "$A"')
    assert not await it.check()
    (tmp_path / "x").touch()
    assert await it.check()


async def test_a_guard_that_is_missing_is_named(make: Make) -> None:
    with pytest.raises(FileNotFoundError, match="no-such-guard"):
        await make("true", onlyif="no-such-guard").check()


async def test_a_guard_may_not_take_for_ever(make: Make) -> None:
    with pytest.raises(TimeoutError, match=r"sleep: must end within 0\.1 s"):
        await make("true", unless="sleep 60", timeout=0.1).check()


async def test_modified_files_override_the_guards(make: Make, host: Host, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("1")
    params = {**counter(tmp_path / "log"), "mtimes": [str(source)], "unless": "true"}
    it = make(**params)
    assert await it.check_apply(apply=True)
    assert await it.check_apply(apply=True) == []
    assert await make(**params).check() == [], "it is remembered over a restart"
    os.utime(source, (1, 1))
    assert await make(**params).check_apply(apply=True)
    assert runs(tmp_path / "log") == 2
    source.unlink()
    with pytest.raises(FileNotFoundError, match="source"):
        await it.check()


async def test_a_notification_runs_it_again_but_not_twice_in_a_turn(
    make: Make, tmp_path: Path
) -> None:
    it = make(**counter(tmp_path / "log"))
    await it.check_apply(apply=True)
    await it.refresh()
    assert runs(tmp_path / "log") == 1
    await it.check_apply(apply=True)
    await it.refresh()
    assert runs(tmp_path / "log") == 2


async def test_it_may_run_only_when_it_is_notified(make: Make, tmp_path: Path) -> None:
    it = make(**counter(tmp_path / "log"), refresh_only=True)
    assert await it.check_apply(apply=True) == []
    await it.refresh()
    assert await it.check_apply(apply=True) == []
    assert runs(tmp_path / "log") == 1


async def test_a_notification_does_not_override_a_guard(make: Make, tmp_path: Path) -> None:
    it = make(**counter(tmp_path / "log"), creates=str(tmp_path))
    await it.check_apply(apply=True)
    await it.refresh()
    assert runs(tmp_path / "log") == 0


# What it gets, and what becomes of it.


async def test_words_are_split_as_a_shell_does_it(make: Make) -> None:
    it = make(cmd=r"""printf '%s.' "a  b" '$HOME' c\ d""")
    await it.check_apply(apply=True)
    assert (await it.send()).stdout == "a  b.$HOME.c d."


async def test_arguments_are_handed_over_as_they_are(make: Make, tmp_path: Path) -> None:
    program = tmp_path / "a b"
    program.write_text('#!/bin/sh\nprintf "%s." "$@"\n')
    program.chmod(0o755)
    it = make(cmd=str(program), args=["a  b", "|", ""])
    await it.check_apply(apply=True)
    assert (await it.send()).stdout == "a  b.|.."


async def test_another_shell_may_run_it(make: Make) -> None:
    it = make(cmd="echo ${BASH_VERSION:+yes}", shell="bash")
    await it.check_apply(apply=True)
    assert (await it.send()).stdout == "yes\n"


async def test_it_gets_its_variables_and_nothing_else(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "hunter2")
    it = make("env", env={"A": "1"})
    await it.check_apply(apply=True)
    names = [line.split("=")[0] for line in (await it.send()).stdout.splitlines()]
    assert sorted(names) == ["A", "PATH"]


async def test_it_reads_its_input(make: Make) -> None:
    it = make("sha256sum", stdin="abc")
    await it.check_apply(apply=True)
    assert (await it.send()).stdout.startswith("ba7816bf")


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become someone else")
async def test_it_runs_as_its_user(make: Make) -> None:
    it = make(cmd="id -un; id -gn", shell=True, user="nobody", group="daemon")
    await it.check_apply(apply=True)
    assert (await it.send()).stdout == "nobody\ndaemon\n"


async def test_other_exit_codes_can_be_success(make: Make) -> None:
    it = make(cmd="exit 3", shell=True, returns=[0, 3])
    await it.check_apply(apply=True)
    assert (await it.send()).code == 3
    with pytest.raises(ProcessEnded, match="must exit with 0 or 3, found exit code 4"):
        await make(cmd="exit 4", shell=True, returns=[0, 3]).check_apply(apply=True)


async def test_a_failure_says_its_last_words(make: Make) -> None:
    it = make(cmd="seq 20; echo 'disk is full' >&2; exit 1", shell=True)
    with pytest.raises(ProcessEnded) as caught:
        await it.check_apply(apply=True)
    said = str(caught.value).splitlines()
    assert "disk is full" in said
    assert len(said) == 11


async def test_what_comes_after_it_must_succeed_too(make: Make, tmp_path: Path) -> None:
    it = make(**counter(tmp_path / "log"), donecmd="exit 7")
    with pytest.raises(ProcessEnded, match="found exit code 7"):
        await it.check_apply(apply=True)
    assert await it.check(), "it has not succeeded"


async def test_lines_are_shown_and_logged(
    make: Make, host: Listening, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await make(cmd="seq 3000", shell=True).check_apply(apply=True)
    assert host.shown[:1000] == [str(number) for number in range(1, 1001)]
    assert host.shown[-1] == "3000"
    messages = [record.message for record in caplog.records if record.name == "setpoint.exec"]
    assert messages[:2] == ["1", "2"]
    assert len(messages) == 1001
    assert "more than 1000 lines" in messages[-1]


async def test_before_it_has_run_there_is_nothing_to_send(make: Make) -> None:
    it = make("true", onlyif="false")
    await it.check_apply(apply=True)
    assert await it.send() is None


async def test_its_output_outlasts_a_restart_and_is_private(
    make: Make, host: Host, tmp_path: Path
) -> None:
    params = {"cmd": f"echo out; echo err >&2; touch {tmp_path}/x", "shell": True}
    params["creates"] = f"{tmp_path}/x"
    await make(**params).check_apply(apply=True)
    again = make(**params)
    assert await again.check_apply(apply=True) == []
    sent = await again.send()
    assert (sent.stdout, sent.stderr, sent.code) == ("out\n", "err\n", 0)
    for file in host.state_directory(again).iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        file.write_text("damaged")
    assert await make(**params).send() is None


async def test_a_flood_of_lines_is_borne(make: Make, host: Listening) -> None:
    it = make(cmd="yes | head -c 200M; echo last", shell=True)
    tracemalloc.start()
    await it.check_apply(apply=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 24 << 20
    assert host.shown[-1] == "last"
    assert (await it.send()).stdout.endswith("y\nlast\n")


# Stopping.


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - the death of a stranger has no event
        await asyncio.sleep(0.005)


async def test_a_timeout_stops_grandchildren(make: Make, host: Listening) -> None:
    it = make(cmd="sleep 60 & echo $!; sh -c 'echo $$; sleep 60'", shell=True, timeout=0.2)
    with pytest.raises(TimeoutError, match=r"must end within 0\.2 s"):
        await it.check_apply(apply=True)
    assert len(host.shown) == 2
    await until(lambda: not any(is_running(int(pid)) for pid in host.shown))


async def test_stopped_in_the_middle_it_leaves_nothing(make: Make, host: Listening) -> None:
    it = make(cmd="trap 'exit 0' INT; sleep 60 & echo $!; wait", shell=True, stop_signal="SIGINT")
    task = asyncio.create_task(it.check_apply(apply=True))
    await until(lambda: host.shown)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not is_running(int(host.shown[0])))
    assert await it.check(), "stopping it is no success"


# Watching.


async def first(watch: Any) -> Any:
    """The stream of events of `watch`, which has begun."""
    events = aiter(watch)
    await anext(events)
    return events


async def test_without_anything_to_watch_it_stays_still(make: Make) -> None:
    events = await first(make("true").watch())
    more = asyncio.ensure_future(anext(events))
    done, _ = await asyncio.wait([more], timeout=0.05)
    assert not done
    more.cancel()
    await asyncio.gather(more, return_exceptions=True)
    await events.aclose()


async def test_a_changed_file_runs_it_again(make: Make, tmp_path: Path) -> None:
    it = make(**counter(tmp_path / "log"), watchfiles=[str(tmp_path / "watched")])
    events = await first(it.watch())
    await it.check_apply(apply=True)
    assert await it.check_apply(apply=True) == []
    (tmp_path / "watched").write_text("x")
    await anext(events)
    assert await it.check_apply(apply=True)
    assert runs(tmp_path / "log") == 2
    await events.aclose()


async def test_what_it_creates_is_watched(make: Make, tmp_path: Path) -> None:
    target = tmp_path / "made"
    target.touch()
    events = await first(make(f"touch {target}", creates=str(target)).watch())
    target.unlink()
    await anext(events)
    await events.aclose()


async def test_each_line_of_the_watch_runs_it_again(make: Make, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    it = make(
        **counter(tmp_path / "log"),
        watchcmd=f"exec cat {fifo}",
        watchfiles=[str(tmp_path / "watched")],
    )
    events = await first(it.watch())
    with await asyncio.to_thread(fifo.open, "w") as lines:
        for number in (1, 2):
            await it.check_apply(apply=True)
            print("changed", file=lines, flush=True)
            await anext(events)
            assert await it.check_apply(apply=True)
            assert runs(tmp_path / "log") == 2 * number
            (tmp_path / "watched").write_text("x")
            await anext(events)
    await events.aclose()


async def test_an_event_during_a_run_is_not_lost(make: Make, tmp_path: Path) -> None:
    fifo, watched = tmp_path / "fifo", tmp_path / "watched"
    os.mkfifo(fifo)
    it = make(cmd=f"cat {fifo}", watchfiles=[str(watched)])
    events = await first(it.watch())
    run = asyncio.create_task(it.check_apply(apply=True))
    with await asyncio.to_thread(fifo.open, "w"):  # it runs
        watched.touch()
        await anext(events)
    await run
    assert await it.check()
    await events.aclose()


async def test_a_watch_that_ends_has_failed(make: Make) -> None:
    events = await first(make("true", watchcmd="sh -c 'echo no bus >&2; exit 2'").watch())
    with pytest.raises(ProcessEnded, match="must go on running, found exit code 2") as caught:
        await anext(events)
    assert "no bus" in str(caught.value)


async def test_a_watch_that_is_missing_is_named(make: Make) -> None:
    events = await first(make("true", watchcmd="no-such-watch").watch())
    with pytest.raises(FileNotFoundError, match="no-such-watch"):
        await anext(events)


async def test_closing_the_watch_stops_its_command(make: Make, tmp_path: Path) -> None:
    it = make("true", shell=True, watchcmd=f"echo $$ > {tmp_path}/pid; echo; sleep 60")
    events = await first(it.watch())
    await anext(events)
    pid = int((tmp_path / "pid").read_text())
    await events.aclose()
    assert not is_running(pid)


# What is refused.


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"shell": True, "args": ["x"]}, "args must be empty with a shell; write them into cmd"),
        ({"returns": []}, "returns must have at least one exit code"),
        ({"returns": [256]}, "<= 255"),
        ({"timeout": -1}, ">= 0"),
        ({"stop_signal": "SIGTREM"}, "stop_signal must be a signal.*did you mean 'SIGTERM'"),
        ({"creates": "a/b"}, "creates must be absolute, not 'a/b'"),
        ({"cwd": "a"}, "cwd must be absolute"),
        ({"watchfiles": ["/a", "b"]}, "watchfiles must be absolute, not 'b'"),
        ({"mtimes": ["b"]}, "mtimes must be absolute"),
        ({"cmd": "echo 'a"}, "cmd must be words as a shell has them, found no closing quotation"),
        ({"cmd": " "}, "cmd must name a program"),
        ({"cmd": "a | b"}, r"cmd must be one command without a shell, found '\|'; add shell: true"),
        ({"unless": "a && b"}, "unless must be one command without a shell"),
        ({"watchcmd": "a > b"}, "watchcmd must be one command"),
    ],
)
def test_what_cannot_work_is_refused(make: Make, params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make("true", **params)


def test_a_quoted_sign_is_only_a_letter(make: Make) -> None:
    make(cmd="grep '|' /etc/motd", onlyif=r"test a \< b", args=())
    make(cmd="a | b", args=["it is a program"])


def test_a_refusal_names_its_param(make: Make) -> None:
    with pytest.raises(ParamError) as caught:
        Exec("it", cmd="'")
    assert caught.value.param == "cmd"
