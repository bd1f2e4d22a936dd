"""Children: started fast, streamed within bounds, stopped whole, never left behind."""

import asyncio
import contextlib
import os
import re
import resource
import signal
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.processes import LONGEST, PATH, ProcessEnded, Processes
from setpoint.processes.output import Kept, Lines

STUBBORN = "trap '' TERM; echo ready; while :; do sleep 60; done"


@pytest.fixture
async def processes() -> AsyncIterator[Processes]:
    """Processes, of which nothing is left afterwards: no child, no descriptor."""
    before = children(), descriptors()
    yield Processes()
    assert (children(), descriptors()) == before


def descriptors() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))


def children() -> list[str]:
    """The ids of our children, zombies among them."""
    with open(f"/proc/self/task/{threading.get_native_id()}/children") as file:
        return file.read().split()


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def until(condition: Callable[[], object]) -> None:
    """Wait for what nothing announces; the test's timeout is the limit."""
    while not condition():  # noqa: ASYNC110 - the death of a stranger has no event
        await asyncio.sleep(0.005)


def sh(script: str, *args: str) -> list[str]:
    return ["sh", "-c", script, "sh", *args]


async def begun(processes: Processes, argv: list[str], **options: object) -> asyncio.Task[object]:
    """A task that runs `argv`, which has printed its first line."""
    first = asyncio.Event()
    task = asyncio.create_task(processes.run(argv, on_line=lambda *_: first.set(), **options))
    await first.wait()
    return task


async def test_a_program_is_run_and_what_it_says_is_returned(processes: Processes) -> None:
    done = await processes.run(sh("echo out; echo err >&2; exit 3"))
    assert (done.code, done.signal, done.dropped) == (3, 0, 0)
    assert (done.stdout, done.stderr) == ("out\n", "err\n")
    assert sorted(done.output.split()) == ["err", "out"]
    assert str(done) == "exit code 3"


async def test_a_program_that_is_killed_says_by_what(processes: Processes) -> None:
    done = await processes.run(sh("kill -SEGV $$"))
    assert (done.code, done.signal) == (128 + signal.SIGSEGV, signal.SIGSEGV)
    assert str(done) == "killed by SIGSEGV"


async def test_what_it_said_is_not_in_its_repr(processes: Processes) -> None:
    assert "hunter2" not in repr(await processes.run(["echo", "hunter2"]))


async def test_a_child_inherits_three_descriptors_and_no_signal_settings(
    processes: Processes,
) -> None:
    read, write = os.pipe()
    os.set_inheritable(write, True)
    old = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    try:
        done = await processes.run(
            sh("ls -l /proc/self/fd | wc -l; grep -E 'Sig(Blk|Ign)' /proc/self/status")
        )
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR2])
        signal.signal(signal.SIGUSR1, old)
        os.close(read)
        os.close(write)
    count, *masks = done.stdout.splitlines()
    assert int(count) == 1 + 3 + 1  # "total", the three, and the folder that ls reads
    ours = 0x7FFFFFFF  # glibc itself ignores its internal signals 32 and 33 in what it spawns
    assert [int(mask.split()[1], 16) & ours for mask in masks] == [0, 0]


async def test_a_child_leads_its_own_session(processes: Processes) -> None:
    done = await processes.run(sh("cut -d' ' -f1,5,6 /proc/$$/stat"))
    pid, group, session = done.stdout.split()
    assert pid == group == session != str(os.getsid(0))


async def test_nothing_of_our_environment_is_inherited(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_TOKEN", "hunter2")
    assert (await processes.run(["env"])).stdout == f"PATH={PATH}\n"
    given_one = await processes.run(["/usr/bin/env"], env={"PATH": "/x", "A": "é=1"})
    assert given_one.stdout == "PATH=/x\nA=é=1\n"


async def test_it_reads_what_it_is_given_however_much_that_is(processes: Processes) -> None:
    assert (await processes.run(["wc", "-c"], stdin=b"x" * 3_000_000)).stdout == "3000000\n"
    assert (await processes.run(["cat"])).stdout == ""


async def test_without_capture_it_has_no_pipes(processes: Processes) -> None:
    done = await processes.run(sh("test /proc/self/fd/1 -ef /dev/null && echo x"), capture=False)
    assert (done.code, done.output) == (0, "")


async def test_a_program_is_looked_up_in_its_own_path(processes: Processes, tmp_path) -> None:
    (tmp_path / "hello").write_text("#!/bin/sh\necho $0\n")
    (tmp_path / "hello").chmod(0o755)
    done = await processes.run(["hello"], env={"PATH": f"/nowhere:{tmp_path}"})
    assert done.stdout == f"{tmp_path}/hello\n"


async def test_a_missing_program_is_named(processes: Processes, tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no such program in /usr/local/sbin.*'no-such'"):
        await processes.run(["no-such"])
    with pytest.raises(FileNotFoundError, match="no such program: '/no/such'"):
        await processes.run(["/no/such"], cwd=str(tmp_path))


async def test_a_file_that_is_no_program_is_named(processes: Processes, tmp_path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("echo hello")
    with pytest.raises(PermissionError, match=f"must be executable.*{plain}"):
        await processes.run([str(plain)])
    plain.chmod(0o755)
    with pytest.raises(OSError, match=f"Exec format error.*{plain}"):
        await processes.run([str(plain)])


async def test_it_starts_in_its_folder(processes: Processes, tmp_path) -> None:
    folder = tmp_path / "-a b$c"
    folder.mkdir()
    (folder / "here").write_text('#!/bin/sh\npwd; echo "$@"; env | sort\n')
    (folder / "here").chmod(0o755)
    done = await processes.run(["./here", "a  b", "$x"], cwd=str(folder))
    assert done.stdout == f"{folder}\na  b $x\nPATH={PATH}\nPWD={folder}\n"
    with pytest.raises(FileNotFoundError, match=r"no such folder to start in.*/no/such"):
        await processes.run(["true"], cwd="/no/such")


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become someone else")
async def test_it_runs_as_another_user_without_our_groups(processes: Processes, tmp_path) -> None:
    done = await processes.run(sh("id -un; id -gn; id -G"), user="nobody")
    assert done.stdout.split()[:2] == ["nobody", "nogroup"]
    assert "0" not in done.stdout.split()[2:]
    done = await processes.run(sh("id -un; id -gn; pwd"), user="nobody", group="daemon", cwd="/usr")
    assert done.stdout.split() == ["nobody", "daemon", "/usr"]
    done = await processes.run(sh("id -u; id -G"), group="daemon")
    assert done.stdout.split() == ["0", "1"]
    tmp_path.chmod(0o700)
    closed = await processes.run(["true"], user=65534, cwd=str(tmp_path))
    assert closed.code != 0


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become someone else")
async def test_no_code_of_the_user_runs_as_root(processes: Processes) -> None:
    trace = {"LD_DEBUG": "files", "A": "1"}
    done = await processes.run(["printenv", "LD_DEBUG", "A"], user="nobody", env=trace)
    assert done.stdout == "files\n1\n"
    assert "printenv" in done.stderr
    assert "setpriv" not in done.stderr


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become someone else")
async def test_only_root_becomes_someone_else(processes: Processes) -> None:
    os.seteuid(65534)
    try:
        with pytest.raises(PermissionError, match=r"only root may run.*'daemon'"):
            await processes.run(["true"], user="daemon")
    finally:
        os.seteuid(0)


async def test_an_unknown_user_is_named(processes: Processes) -> None:
    with pytest.raises(LookupError, match="user must be one of this host, not 'nemo'"):
        await processes.run(["true"], user="nemo")
    with pytest.raises(LookupError, match="group must be one of this host, not '4294967'"):
        await processes.run(["true"], group="4294967")


async def test_lines_are_handed_on_as_they_come(processes: Processes, tmp_path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    came: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    script = sh('echo one; read line < "$1"; echo $line >&2; printf three', str(fifo))
    task = asyncio.create_task(processes.run(script, on_line=lambda *line: came.put_nowait(line)))
    assert await came.get() == ("stdout", "one")
    fifo.write_text("two\n")  # only now does it go on
    assert await came.get() == ("stderr", "two")
    assert await came.get() == ("stdout", "three")
    await task


async def test_invalid_text_is_replaced(processes: Processes) -> None:
    lines: list[str] = []
    done = await processes.run(
        ["printf", r"a\377b\r\n\303"], on_line=lambda _, line: lines.append(line)
    )
    assert lines == ["a\ufffdb", "\ufffd"]
    assert done.stdout == "a\ufffdb\r\n\ufffd"


async def test_a_huge_line_comes_in_pieces(processes: Processes) -> None:
    lines: list[str] = []
    script = "head -c 10000000 /dev/zero | tr '\\0' x; echo; echo end"
    await processes.run(sh(script), on_line=lambda _, line: lines.append(line))
    assert lines[-1] == "end"
    assert sum(map(len, lines[:-1])) == 10_000_000
    assert max(map(len, lines)) <= LONGEST


async def test_who_has_seen_enough_gets_the_newest_line_only(processes: Processes) -> None:
    lines: list[str] = []

    def enough(_: str, line: str) -> bool:
        lines.append(line)
        return False

    await processes.run(["seq", "100000"], on_line=enough)
    assert lines[-1] == "100000"
    assert len(lines) < 20_000


@pytest.fixture
def peak() -> Iterator[Callable[[], int]]:
    """How many bytes were allocated at most since the test began."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


async def test_a_flood_is_drained_in_bounded_memory(
    processes: Processes, peak: Callable[[], int]
) -> None:
    done = await processes.run(sh("echo first; yes | head -c 200M; echo last"))
    assert peak() < 12 << 20
    assert done.stdout.startswith("first\ny\n")
    assert done.stdout.endswith("y\nlast\n")
    assert len(done.stdout) < (1 << 20) + 100
    found = re.search(r"\n\[(\d+) bytes dropped\]\n", done.stdout)
    assert found
    assert int(found[1]) == done.dropped == (200 << 20) + 11 - (1 << 20)


async def test_a_daemon_that_keeps_the_output_open_does_not_hold_its_starter(
    processes: Processes,
) -> None:
    done = await processes.run(sh("setsid sleep 60 & echo $!"))
    try:
        assert is_running(int(done.stdout))
    finally:
        os.kill(int(done.stdout), signal.SIGKILL)


async def test_what_took_too_long_is_stopped_with_its_descendants(processes: Processes) -> None:
    pids: list[int] = []
    script = sh("sleep 60 & echo $!; sh -c 'echo $$; sleep 60'; echo never")
    with pytest.raises(TimeoutError, match=r"^sh: must end within 0\.2 s.*last words:\n\d+"):
        await processes.run(script, timeout=0.2, on_line=lambda _, line: pids.append(int(line)))
    assert len(pids) == 2
    await until(lambda: not any(map(is_running, pids)))


async def test_what_ignores_being_asked_is_killed_after_the_grace(processes: Processes) -> None:
    with pytest.raises(TimeoutError):
        await processes.run(sh(STUBBORN), timeout=0.1, grace=0.1)


async def test_what_is_asked_nicely_may_tidy_up(processes: Processes, tmp_path) -> None:
    script = sh(
        "trap 'echo bye > \"$1\"; exit 0' INT; echo ready; while :; do sleep 0.01; done",
        str(tmp_path / "said"),
    )
    task = await begun(processes, script, stop_signal=signal.SIGINT)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (tmp_path / "said").read_text() == "bye\n"


async def test_a_cancelled_run_leaves_nothing(processes: Processes) -> None:
    pids: list[int] = []
    ready = asyncio.Event()

    def note(_: str, line: str) -> None:
        pids.append(int(line))
        if len(pids) == 2:
            ready.set()

    task = asyncio.create_task(
        processes.run(
            sh("trap '' TERM; sleep 60 & echo $!; echo $$; wait"), on_line=note, grace=0.1
        )
    )
    await ready.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not any(map(is_running, pids)))


async def test_a_second_cancel_does_not_wait_for_the_grace(processes: Processes) -> None:
    task = await begun(processes, sh(STUBBORN), grace=60)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_stopped_process_is_stopped_too(processes: Processes) -> None:
    with pytest.raises(TimeoutError):
        await processes.run(sh("kill -STOP $$"), timeout=0.1, grace=0.1)


async def test_what_the_reader_raises_stops_the_program(processes: Processes) -> None:
    def refuse(stream: str, line: str) -> None:
        raise ValueError(line)

    with pytest.raises(ValueError, match="ready"):
        await processes.run(sh(STUBBORN), on_line=refuse, grace=0.1)


async def test_an_attempt_without_descriptors_leaves_nothing(processes: Processes) -> None:
    await processes.run(["true"])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for spare in range(6):
        resource.setrlimit(resource.RLIMIT_NOFILE, (first_free() + spare, hard))
        try:
            with contextlib.suppress(OSError):
                await processes.run(["true"], stdin=b"x")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def first_free() -> int:
    fd = os.dup(0)
    os.close(fd)
    return fd


async def test_five_hundred_at_once(processes: Processes) -> None:
    started = time.monotonic()
    runs = [processes.run(sh('sleep 1; echo "$1"', str(number))) for number in range(500)]
    done = await asyncio.gather(*runs)
    assert [int(one.stdout) for one in done] == list(range(500))
    assert time.monotonic() - started < 15


async def test_spawning_many_lets_the_loop_breathe(processes: Processes) -> None:
    turns = 0
    runs = asyncio.gather(*(processes.run(["true"], capture=False) for _ in range(80)))
    while not runs.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 10


async def test_those_who_wait_for_their_turn_can_be_cancelled(processes: Processes) -> None:
    tasks = [asyncio.create_task(processes.run(["true"])) for _ in range(40)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results[::2])
    assert [result.code for result in results[1::2]] == [0] * 20


def test_one_serves_several_loops_at_once() -> None:
    processes, codes = Processes(), []

    async def some() -> None:
        done = await asyncio.gather(*(processes.run(["true"]) for _ in range(20)))
        codes.extend(one.code for one in done)

    threads = [threading.Thread(target=asyncio.run, args=(some(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0] * 60


async def test_an_exit_code_that_somebody_else_took_is_not_invented(processes: Processes) -> None:
    old = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        for argv in (["true"], ["sleep", "0.05"]):  # gone at once, and later
            with pytest.raises(ChildProcessError, match="its exit code was lost"):
                await processes.run(argv)
    finally:
        signal.signal(signal.SIGCHLD, old)


async def test_lines_of_a_watch_are_yielded_until_it_ends(processes: Processes) -> None:
    lines = processes.lines(sh("echo a; echo b; echo oops >&2; exit 4"))
    assert [await anext(lines), await anext(lines)] == ["a", "b"]
    with pytest.raises(ProcessEnded, match="sh: must go on running, found exit code 4") as caught:
        await anext(lines)
    assert "oops" in str(caught.value)


async def test_closing_the_lines_stops_the_program(processes: Processes) -> None:
    lines = processes.lines(sh("echo $$; sleep 60"))
    pid = int(await anext(lines))
    await lines.aclose()
    assert not is_running(pid)


async def test_a_slow_reader_of_lines_loses_none_and_holds_few(
    processes: Processes, peak: Callable[[], int]
) -> None:
    lines = processes.lines(["seq", "100000"])
    for number in range(1, 100_001):
        assert await anext(lines) == str(number)
        if number % 1000 == 0:
            await asyncio.sleep(0)
    with pytest.raises(ProcessEnded, match="exit code 0"):
        await anext(lines)
    assert peak() < 12 << 20


async def test_lines_that_nobody_takes_can_be_closed(processes: Processes) -> None:
    lines = processes.lines(["yes"])
    await anext(lines)
    await asyncio.sleep(0.05)  # it fills its pipe
    await lines.aclose()


@given(st.binary(), st.integers(0, 40), st.integers(1, 9))
def test_what_is_kept_is_the_first_and_the_last(text: bytes, limit: int, step: int) -> None:
    kept = Kept(limit)
    for start in range(0, len(text), step):
        kept.add(text[start : start + step])
    half = limit // 2
    assert kept.dropped == max(0, len(text) - 2 * half)
    assert bytes(kept.head) == text[:half]
    assert bytes(kept.tail) == (text[half:][-half:] if half else b"")


@given(st.text(alphabet="aé€\n\r\U0001f600"), st.integers(1, 5))
def test_lines_are_those_of_the_text_however_it_is_cut(text: str, step: int) -> None:
    found: list[str] = []
    lines, data = Lines("stdout", lambda _, line: found.append(line)), text.encode()
    for start in range(0, len(data), step):
        lines.add(data[start : start + step])
    lines.add(b"")
    wanted = text.split("\n")
    assert found == [line.removesuffix("\r") for line in (wanted if wanted[-1] else wanted[:-1])]
