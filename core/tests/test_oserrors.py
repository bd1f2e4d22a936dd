"""What the kernel refuses, as people read it."""

import errno
import os
import subprocess
from pathlib import Path

import pytest

from setpoint.host import Host
from setpoint.oserrors import naming, told
from setpoint.testing.lives import as_nobody


def kernel(number: int, *names: object) -> OSError:
    error = OSError(number, os.strerror(number), *names[:1])
    if len(names) > 1:
        error.filename2 = names[1]
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (kernel(errno.ENOENT, "/etc/none"), "/etc/none: no such file or directory"),
        (kernel(errno.EXDEV, "/a", "/b"), "/a -> /b: invalid cross-device link"),
        (
            kernel(errno.EROFS, "/usr/x"),
            "/usr/x: read-only file system; mount its file system so that it can be written to",
        ),
        (kernel(errno.ENOSPC, "/x"), "/x: no space left on device; make room"),
        (kernel(errno.EBUSY, "/none"), "/none: device or resource busy"),
        (kernel(errno.ECONNREFUSED), "connection refused"),
        (OSError(errno.EBUSY, "in use by 7; end it", "/mnt"), "/mnt: in use by 7; end it"),
        (OSError("it did not go well"), "it did not go well"),
        (TimeoutError(), ""),
    ],
)
def test_it_is_said_without_numbers_and_with_what_to_do(error, said):
    assert told(error) == said


def test_who_is_not_root_is_told_to_be(monkeypatch):
    denied = kernel(errno.EACCES, "/etc/x")
    monkeypatch.setattr(os, "geteuid", lambda: 7)
    assert told(denied) == "/etc/x: permission denied; run as root"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert told(denied) == "/etc/x: permission denied"


@pytest.mark.parametrize("known", ["f", 7, None, "/x/.setpoint-1-2-3~", "/proc/self/fd/7"])
def test_what_nobody_knows_gets_the_name_that_people_know(known):
    with pytest.raises(OSError, match=r"denied: '/etc/f'$"), naming("/etc/f"):
        raise kernel(errno.EACCES, known)


def test_what_people_know_keeps_its_name():
    with pytest.raises(OSError, match=r"denied: '/other'$"), naming("/etc/f"):
        raise kernel(errno.EACCES, "/other")


@pytest.mark.root
@pytest.mark.parametrize("owner", [-1, 1])
async def test_a_file_that_may_not_be_written_is_named_by_its_path(tmp_path, owner):
    """Also below a directory that somebody else could swap, where names are relative."""
    for above in [tmp_path, *tmp_path.parents][:3]:
        above.chmod(0o755)
    below = tmp_path / "below"
    below.mkdir(mode=0o755)
    os.chown(below, owner, owner)

    async def work(state: str) -> None:
        try:
            Host(state=state).files.write(below / "f", b"x", mode=0o644)
        except OSError as error:
            raise ValueError(told(error)) from None

    assert (await as_nobody(work)).text == f"{below}/f: permission denied; run as root"


@pytest.mark.root
@pytest.mark.parametrize("verb", ["write", "remove"])
def test_a_file_that_is_a_mount_is_told_to_be_one(private, tmp_path, verb):
    private()
    (tmp_path / "hosts").write_text("a")
    (tmp_path / "given").write_text("b")
    hosts = tmp_path / "hosts"
    subprocess.run(["mount", "--bind", tmp_path / "given", hosts], check=True)
    files = Host(state=tmp_path / "state").files
    with pytest.raises(OSError, match="busy") as caught:
        files.write(hosts, b"c", mode=0o644) if verb == "write" else files.remove(hosts)
    assert told(caught.value).startswith(f"{hosts}: it is a mount of its own, as containers have ")
    assert told(caught.value).endswith("change the file that is mounted there where it comes from")
    subprocess.run(["umount", hosts], check=True)
    assert [p.name for p in Path(tmp_path).iterdir() if p.name.startswith(".setpoint")] == []
