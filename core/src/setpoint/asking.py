"""Asking the engine that runs with a state directory to load its graph files again, and hearing how that went.

The engine says in the file `engine.json` which process it is and what it did last; it is asked by HUP. Only a process
that has the journal's lock and began when that file says is sent one: a number of a process is used again, and for
most programs HUP is the end.
"""

import os
import signal
from typing import TYPE_CHECKING

import msgspec

from setpoint.errors import SetpointError
from setpoint.journal.lock import holder
from setpoint.temporaries import birth

if TYPE_CHECKING:
    from setpoint.host import Host

FILE = "engine.json"


class Standing(msgspec.Struct, frozen=True):
    """What an engine says of itself.

    pid, began: the process, and the clock ticks from boot to its start.
    reloads: whether HUP has it load its graph files again; else that is its end.
    generation: the number of the one that it runs; 0 if none is kept.
    loads: how often it has loaded files since its start.
    problem: what was wrong the last time; empty if it went well.
    asks: whether a person is asked, in the terminal of that process, if what it has loaded is to be taken over.
    """

    pid: int
    began: int
    reloads: bool
    generation: int = 0
    loads: int = 0
    problem: str = ""
    asks: bool = False


def this_process(reloads: bool) -> Standing:
    """Return the standing of this process, which has loaded nothing yet."""
    return Standing(os.getpid(), birth(os.getpid()), reloads)


def say(host: "Host", standing: Standing) -> None:
    """Let others know how we stand.

    Raises:
        OSError: it cannot be written.

    """
    content = msgspec.json.encode(standing)
    host.files.write(os.path.join(host.root, FILE), content, mode=0o600)


def running(host: "Host") -> Standing | None:
    """Return what the engine that runs says of itself; None if none runs, or it has not said anything yet.

    Raises:
        OSError: this user may not read it.

    """
    owner = holder(os.path.join(host.root, "lock"))
    if owner is None:
        return None
    try:
        content = host.files.read(os.path.join(host.root, FILE))
        said = msgspec.json.decode(content, type=Standing)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    is_same = said.pid == owner.pid and said.began == birth(owner.pid)
    return said if is_same else None


def ask(standing: Standing) -> None:
    """Ask that engine to load its graph files again.

    Raises:
        SetpointError: it is not there any more, does not do that, or is another user's.

    """
    if not standing.reloads:
        why = f"the engine, pid {standing.pid}, does not load its files again"
        raise SetpointError(f"{why}; start it by `setpoint run` without --no-watch")
    try:
        process = os.pidfd_open(standing.pid)
    except ProcessLookupError:
        raise _gone(standing) from None
    try:
        if birth(standing.pid) != standing.began:
            raise _gone(standing)
        signal.pidfd_send_signal(process, signal.SIGHUP)
    except PermissionError:
        why = f"the engine, pid {standing.pid}, belongs to another user"
        raise SetpointError(f"{why}; ask as that user, or as root") from None
    except ProcessLookupError:
        raise _gone(standing) from None
    finally:
        os.close(process)


def _gone(standing: Standing) -> SetpointError:
    return SetpointError(f"the engine, pid {standing.pid}, has just ended; start it again")
