"""Examples of live graphs, by the real command: what they wait for really happens, and what they promise follows."""

import json
import os
import re
import signal
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from setpoint.testing.namespaces import mount

ROOT = Path(__file__).parents[1]
DEMO = "/tmp/setpoint-demo"
AT_ONCE = 2.0  # seconds; it takes a twentieth of that, but the machine of a test may be busy
MS_BIND = 0x1000  # mount(2)


@pytest.fixture
def over(private: Callable[..., None], tmp_path: Path) -> Callable[[str, str], Path]:
    """Lays a file over one of the kernel's, for this test and what it starts; return it, to be written anew."""
    private()

    def laid(path: str, text: str) -> Path:
        file = tmp_path / Path(path).name
        file.write_text(text)
        mount(str(file), path, "", flags=MS_BIND)
        return file

    return laid


@pytest.fixture
def job(example: Any) -> "Iterator[subprocess.Popen[bytes]]":
    """A program that waits, by the name of the jobs in the examples."""
    argv = ("sh", "-c", "echo up; read line", example.job)
    with subprocess.Popen(argv, stdin=-1, stdout=-1) as process:
        assert process.stdout.readline()
        yield process
        process.send_signal(signal.SIGCONT)
        process.communicate(b"\n")


def is_paused(process: "subprocess.Popen[bytes]") -> bool:
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_each_example_is_described_with_what_is_in_it():
    page = (ROOT / "docs/how-to/examples.md").read_text()
    texts = {path: path.read_text() for path in (ROOT / "examples/live").rglob("*.yaml")}
    for path in texts:
        assert f"](../../{path.relative_to(ROOT)})" in page
    for part in re.findall(r"```yaml part\n(.*?)```", page, re.DOTALL):
        assert any(part in text for text in texts.values()), part


@pytest.mark.parametrize("name", ["canary", "full-disks", "night", "pause-under-load", "workers"])
def test_an_example_can_be_run_with_the_facts_of_this_machine(example, name):
    ended = example.run(name).stop()
    assert (ended.code, ended.err) == (0, "stopping\n")


def test_a_password_is_another_one_when_somebody_asks(example):
    running = example.run("password-rotation")
    first = example.read("told")
    assert len(first) == 32
    assert example.read("database.env") == f"DATABASE_PASSWORD={first}\n"
    began = time.monotonic()
    (example.demo / "rotate").touch()
    running.event("Refreshed", "exec tell the database")
    assert time.monotonic() - began < AT_ONCE
    second = example.read("told")
    assert example.read("database.env") == f"DATABASE_PASSWORD={second}\n"
    assert (example.demo / "database.env").stat().st_mode & 0o777 == 0o600
    files = [path for path in example.place.home.rglob("*") if path.is_file()]
    assert not [path for path in files if first.encode() in path.read_bytes()]
    running.stop()
    lines = running.out.lines + running.err.lines
    assert not [line for line in lines if first in line or second in line]


def test_a_restart_is_no_reason_for_a_new_password(example):
    running = example.run("password-rotation")
    first = example.read("told")
    assert running.stop().code == 0
    again = example.run("password-rotation")
    assert (again.events("Changed"), again.events("Refreshed")) == ([], [])
    assert example.read("told") == first


def release(version: str) -> bytes:
    """Return an archive with a file that says its version, and one that only this version has."""
    with BytesIO() as packed:
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            for name in ("version", f"only-in-{version}"):
                member = tarfile.TarInfo(name)
                member.size = len(version)
                tar.addfile(member, BytesIO(version.encode()))
        return packed.getvalue()


def test_a_download_is_unpacked_when_it_is_another_one(example, http_server):
    page = http_server.put("/notes.tar.gz", release("1.4"), etag='"1.4"')
    running = example.run(
        "download",
        **{
            f"file://{DEMO}/notes.tar.gz": http_server.url("/notes.tar.gz"),
            "interval: 60": "interval: 0.1",
        },
    )
    assert example.read("notes/version") == "1.4"
    asked = len(http_server.asked)
    while len(http_server.asked) < asked + 3:  # and has nothing new
        time.sleep(0.05)
    assert http_server.bodies == 1
    page.body, page.etag = release("1.5"), '"1.5"'
    running.event("Refreshed", "exec restart the notes")
    running.event("Converged", failed=0)
    assert sorted(os.listdir(example.demo / "notes")) == ["only-in-1.5", "version"]
    assert example.read("notes/version") == "1.5"
    assert [e["id"] for e in running.events("Refreshed")].count("exec restart the notes") == 2


@pytest.mark.root
def test_a_message_of_the_kernel_becomes_a_file(example):
    running = example.run("kernel-message", **{"Out of memory": f"{example.job}: Out of memory"})
    assert not (example.demo / "victims").exists()
    for number, program in enumerate(("stress", "java"), 1):
        began = time.monotonic()
        text = f"{example.job}: Out of memory: Killed process 47{number} ({program}) total-vm:1kB"
        Path("/dev/kmsg").write_text(f"<3>{text}\n")
        running.event("Converged", resources=2)
        assert time.monotonic() - began < AT_ONCE
        assert example.read("victims").splitlines() == [
            f"last victim: {program} (47{number})",
            f"{number} of late, the kernel says: {text}",
        ]


def test_jobs_stand_still_while_the_machine_is_busy(example, job):
    example.say("load", "0.5")
    running = example.run(
        "pause-under-load",
        **{"{ load: { every: 5 } }": f"{{ file: {DEMO}/load }}", "x1 > 4, 10": "content > '4', 1"},
        **{"busy, 60": "busy, 2"},
    )
    for load, seconds, paused in (("9.0", 1, True), ("0.5", 2, False)):
        example.say("load", load)
        began = time.monotonic()
        running.event("Changed", "process batch jobs")
        assert seconds <= time.monotonic() - began < seconds + AT_ONCE
        assert is_paused(job) == paused


@pytest.mark.root
def test_a_disk_that_fills_up_has_a_file_until_there_is_room(private, example):
    private()
    disk = example.demo / "disk"
    disk.mkdir()
    running = example.run("full-disks", **{"every: 10": "every: 0.1"})
    before = set(os.listdir(example.demo / "full"))  # perhaps one of this machine is full too
    assert subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "demo", disk]).returncode == 0
    big, full = disk / "big", example.file("full/")
    for _ in range(2):
        big.write_bytes(bytes(1 << 20))
        found = json.loads(running.out.until(f'"Changed","id":"{full}'))
        name = found["id"].removeprefix(full)
        assert example.read(f"full/{name}") == f"{disk} is nearly full, tmpfs on demo\n"
        big.unlink()
        running.event("Changed", f"reverse {found['id']}")
        assert set(os.listdir(example.demo / "full")) == before


@pytest.mark.root
def test_there_are_as_many_workers_as_processors(over, example):
    online = over("/sys/devices/system/cpu/online", "0-1\n")
    running = example.run("workers")
    assert example.read("workers.conf") == "workers = 1\n"
    for text, workers in (("0-3\n", 3), ("0,2\n", 1), ("0-7\n", 7)):
        online.write_text(text)
        Path("/sys/devices/system/cpu/cpu0/uevent").write_text("change")  # a real event
        began = time.monotonic()
        running.event("Refreshed", "exec reload")
        running.event("Converged", failed=0)
        assert time.monotonic() - began < AT_ONCE
        assert example.read("reloads").splitlines()[-1] == f"reloaded with workers = {workers}"
        names = [f"worker-{number}" for number in range(workers)]
        assert sorted(path.name for path in example.demo.glob("worker-*")) == names


def test_a_drawing_has_what_there_is_now(example):
    example.run("workers").stop()
    drawn = example.place.call("graph", "--format", "mermaid")
    for path in example.demo.glob("worker*"):
        assert f"file {path}" in drawn.out
    assert drawn.err == ""


def test_a_version_is_rolled_out_when_the_canary_was_well_for_a_while(example):
    running = example.run("canary", **{'" ok", 30': '" ok", 1'})
    example.say("candidate", "1.5\n")
    began = time.monotonic()
    example.say("canary", "1.5 ok\n")
    running.event("Refreshed", "exec roll it out")
    assert 1 <= time.monotonic() - began < 1 + AT_ONCE
    example.say("candidate", "1.6\n")
    running.event("Swapped", removed=1)
    for said in ("1.6 ok\n", "1.6 slow\n", "1.6 ok\n", "1.6 broken\n"):  # never for long
        example.say("canary", said)
        time.sleep(0.3)
    example.say("candidate", "1.7\n")
    example.say("canary", "1.7 ok\n")
    running.event("Refreshed", "exec roll it out")
    assert example.read("version") == "1.7\n"
    assert example.read("rolled-out") == "1.5\n1.7\n"


@pytest.mark.parametrize(
    ("site", "text"),
    [
        ("", "# development\nhost = localhost\nlevel = debug\nworkers = 1\n"),
        ("production", "# production\nhost = db.example\nlevel = warning\nworkers = 8\n"),
    ],
)
def test_one_file_is_for_all_environments(example, site, text):
    if site:
        example.place.variables["SITE"] = site
    example.run("environments")
    assert example.read("app.conf") == text
    assert (example.demo / "app.conf").stat().st_mode & 0o777 == 0o640
    assert (example.demo / "debug.conf").exists() == (not site)


def test_what_is_old_is_removed_time_and_again(example):
    running = example.run("cleanup", **{"interval: 600": "interval: 0.2"})
    for name in ("one", "two"):
        example.say("scratch/new", "")
        old = example.demo / "scratch" / name
        old.write_text("")
        os.utime(old, (time.time() - 3700,) * 2)
        running.event("Refreshed", "exec clean up")
        running.event("Refreshed", "exec clean up")  # the first may have begun before
        assert os.listdir(example.demo / "scratch") == ["new"]
