"""What became of a unit, and of a job with it, in words for people.

Source: org.freedesktop.systemd1(5), "Result"; systemd.exec(5), "Process Exit Codes"; systemd.service(5).
"""

import signal
from collections.abc import Iterator, Mapping
from typing import Any

from setpoint.dbus.units import Unit

FIRST = 200  # the exit code that the first of these names has; those that have none are "-"
NAMES = (
    "CHDIR NICE FDS EXEC MEMORY LIMITS OOM_ADJUST SIGNAL_MASK STDIN STDOUT CHROOT IOPRIO TIMERSLACK SECUREBITS "
    "SETSCHEDULER CPUAFFINITY GROUP USER CAPABILITIES CGROUP SETSID CONFIRM STDERR - PAM NETWORK NAMESPACE "
    "NO_NEW_PRIVILEGES SECCOMP SELINUX_CONTEXT PERSONALITY APPARMOR_PROFILE ADDRESS_FAMILIES RUNTIME_DIRECTORY - "
    "CHOWN SMACK_PROCESS_LABEL KEYRING STATE_DIRECTORY CACHE_DIRECTORY LOGS_DIRECTORY CONFIGURATION_DIRECTORY "
    "NUMA_POLICY CREDENTIALS - BPF"
).split()
EXITED, KILLED, DUMPED = 1, 2, 3  # how a process ended. Source: sigaction(2), "si_code"
COMMANDS = "ExecCondition ExecStartPre ExecStart ExecStartPost ExecReload".split()

RESULTS = {  # of a unit, where no process tells more
    "timeout": "it took longer than it may",
    "watchdog": "it did not say for too long that it lives",
    "oom-kill": "the machine had no memory left for it",
    "start-limit-hit": "it was started too often, systemd allows no more for now",
    "protocol": "it did not say that it is ready, as its type demands",
    "resources": "the machine lacks something that it needs",
}
JOBS = {  # of a job
    "dependency": "something that it requires failed",
    "timeout": "it took longer than it may",
    "canceled": "another job took its place",
    "skipped": "a condition of it does not hold",
    "assert": "an assertion of it does not hold",
    "unsupported": "this machine has no such units",
}


def story(verb: str, unit: Unit, found: Mapping[str, Any], job: str) -> str:
    """Return what became of a unit that systemd was asked to `verb`: each thing once, on one line.

    Args:
        verb: "start" or the like.
        unit: the unit, as it is now.
        found: its properties.
        job: the result of the job, empty if it is not known.

    """
    what = f"systemd could not {verb} {unit.name}"
    if unit.active_state == "failed":
        what = f"{unit.name} failed"
    return f"{what}: {_why(unit, found, job)}"


def _why(unit: Unit, found: Mapping[str, Any], job: str) -> str:
    if unit.load_state not in ("loaded", "masked"):
        return f"its file is {unit.load_state}, {found.get('LoadError', ('', ''))[1]}"
    result = found.get("Result", "success")
    if result in RESULTS:
        return RESULTS[result]
    if end := max(_ends(found), default=None):
        return end[1]
    if result != "success":
        return f"result {result!r}"
    return JOBS.get(job, f"it is {unit.active_state} ({unit.sub_state})")


def _ends(found: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Yield when and how each of its processes ended that did not end well."""
    for name in COMMANDS:
        for path, _, is_ignored, _, _, _, ended, _, code, status in found.get(name, ()):
            if not is_ignored and (end := _end(code, status)):
                yield ended, f"{end}, {path}"


def _end(code: int, status: int) -> str:
    """Return how a process ended; empty if that was well, or it has not."""
    if code == EXITED:
        return f"exit code {status}{_name(status)}" if status else ""
    if code in (KILLED, DUMPED):
        names = {one.value: one.name for one in signal.Signals}
        dumped = ", core dumped" if code == DUMPED else ""
        return f"killed by {names.get(status, f'signal {status}')}{dumped}"
    return ""


def _name(status: int) -> str:
    """Return what systemd calls an exit code of its own, in parentheses; empty if it is the program's."""
    at = status - FIRST
    is_named = 0 <= at < len(NAMES) and NAMES[at] != "-"
    return f" ({NAMES[at]})" if is_named else ""
