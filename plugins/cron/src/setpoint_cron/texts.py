"""The unit files of a timer, and of the service that it starts."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from setpoint_cron import Cron

Settings = Iterable[tuple[str, str]]


def timer_file(cron: "Cron") -> str:
    """Return the file of the timer. Source: systemd.timer(5)."""
    timer = (
        (cron.trigger, cron.time),
        ("Unit", cron.started),
        ("AccuracySec", _seconds(cron.accuracysec)),
        ("RandomizedDelaySec", _seconds(cron.randomizeddelaysec)),
        ("Persistent", _yes_or_no(cron.persistent)),
        ("WakeSystem", _yes_or_no(cron.wakesystem)),
        ("RemainAfterElapse", _yes_or_no(cron.remainafterelapse)),
    )
    install = [("WantedBy", "timers.target")]
    return _file(("Unit", _description(cron)), ("Timer", timer), ("Install", install))


def service_file(cron: "Cron") -> str:
    """Return the file of the service that runs the command. Source: systemd.service(5), systemd.exec(5)."""
    service = (
        ("Type", "oneshot"),
        ("ExecStart", _literal(cron.command)),
        ("User", cron.user),
        ("WorkingDirectory", _literal(cron.directory)),
        *(("Environment", _quoted(f"{name}={value}")) for name, value in cron.env.items()),
    )
    return _file(("Unit", _description(cron)), ("Service", service))


def _description(cron: "Cron") -> Settings:
    return [("Description", _literal(cron.description))]


def _file(*sections: tuple[str, Settings]) -> str:
    """Return a unit file; settings without a value are left out."""
    parts = []
    for name, settings in sections:
        lines = [f"{key}={value}" for key, value in settings if value]
        parts.append("\n".join((f"[{name}]", *lines, "")))
    return "\n".join(parts)


def _literal(text: str) -> str:
    """Return `text` so that systemd takes it as it is. Source: systemd.unit(5), "Specifiers"."""
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    """Return `text` as one word. Source: systemd.syntax(7), "Quoting"."""
    escaped = _literal(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _yes_or_no(flag: bool) -> str:
    return "yes" if flag else "no"


def _seconds(number: float) -> str:
    """Return a time span; empty if there is none. Source: systemd.time(7), "Parsing Time Spans"."""
    return f"{number * 1e6:.0f}us" if number else ""
