"""mount(8) and umount(8), which know the helpers of each file system; and who keeps one busy."""

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from setpoint import Refused, Together

if TYPE_CHECKING:
    from setpoint.host import Host
    from setpoint.processes import Completed

BOOTED = "/run/systemd/system"  # sd_booted(3)
MOST_NAMED = 5  # processes in a message


async def mount(host: "Host", device: str, point: str, type_: str, options: Sequence[str]) -> None:
    """Mount `device` at `point`.

    Raises:
        ProcessEnded: an OSError; with what mount(8) says.

    """
    words = ["-t", type_] if type_ else []
    words += ["-o", ",".join(options)] if options else []
    await _succeed(host, ["mount", *words, "--", device, point])


async def remount(host: "Host", point: str, options: Sequence[str]) -> None:
    """Give what is mounted at `point` these options; those that are not named stay as they are.

    Raises:
        ProcessEnded: an OSError; with what mount(8) says.

    """
    listed = ("bind" if option == "rbind" else option for option in options)
    words = ["--options-source", "mtab", "-o", ",".join(["remount", *listed])]
    await _succeed(host, ["mount", *words, "--", point])


async def unmount(host: "Host", point: str, *, lazy: bool) -> None:
    """Unmount what is mounted at `point`, the topmost if there are several.

    Raises:
        OSError: it is busy; the message names those who use it.
        ProcessEnded: an OSError; with what umount(8) says.

    """
    done = await _run(host, ["umount", *(["--lazy"] if lazy else []), "--", point])
    if done.code == 0:
        return
    users = await host.in_thread(lambda: list(users_of(point)))
    if "busy" not in done.stderr or not users:
        raise _ended("umount", f"must unmount {point}", done)
    named = ", ".join(users[:MOST_NAMED])
    more = f" and {len(users) - MOST_NAMED} more" if len(users) > MOST_NAMED else ""
    raise OSError(errno.EBUSY, f"in use by {named}{more}; end them, or write lazy: true", point)


def users_of(point: str) -> Iterator[str]:
    """Yield the processes that have something below `point` open, as "bash (123)"; of others only as root."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):  # it has just ended, or is another user's
            if any(path == point or path.startswith(f"{point}/") for path in _used(pid)):
                with open(f"/proc/{pid}/comm", errors="replace") as file:
                    yield f"{file.read().rstrip()} ({pid})"


def reloading(host: "Host") -> "Together[str, None]":
    """Return what has systemd read fstab anew, once for all who want that at the same time."""

    async def reload(wishes: Sequence[str]) -> Mapping[str, None]:
        if os.path.isdir(BOOTED):
            await _succeed(host, ["systemctl", "daemon-reload"])
        return dict.fromkeys(wishes)

    return Together(reload)


async def _succeed(host: "Host", argv: list[str]) -> None:
    done = await _run(host, argv)
    if done.code:
        raise _ended(argv[0], "must succeed", done)


def _ended(program: str, rule: str, done: "Completed") -> OSError:
    from setpoint.processes import ProcessEnded  # 3 ms, and a check runs nothing

    return ProcessEnded(program, rule, done)


async def _run(host: "Host", argv: list[str]) -> "Completed":
    if os.geteuid() != 0:
        raise Refused("only root may mount and unmount", "run this as root")
    return await host.processes.run(argv, env={"LC_ALL": "C"})


def _used(pid: str) -> Iterator[str]:
    """Yield the paths that a process has open, runs, or works in."""
    for name in ("cwd", "root", "exe"):
        with suppress(OSError):  # a thread of the kernel has none
            yield os.readlink(f"/proc/{pid}/{name}")
    for number in os.listdir(f"/proc/{pid}/fd"):
        with suppress(OSError):  # just closed
            yield os.readlink(f"/proc/{pid}/fd/{number}")
    with open(f"/proc/{pid}/maps", errors="replace") as file:
        for line in file:
            yield line[line.find("/") :].rstrip("\n") if "/" in line else ""
