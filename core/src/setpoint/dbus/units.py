"""Units of systemd: their names, where they are on the bus, and in which state."""

import re
from typing import Any, NamedTuple

TYPES = "service socket device mount automount swap target path timer slice scope".split()

_NAME = re.compile(r"[A-Za-z0-9:_.\\-]+(@[A-Za-z0-9:_.\\-]+)?")
_LONGEST = 255


class Unit(NamedTuple):
    """A unit as `ListUnitsByNames` tells it.

    name: its own; that which was asked for may be an alias.
    load_state: "loaded", "not-found", "masked", "bad-setting", "error".
    active_state: "active", "inactive", "failed", "activating" ...
    sub_state: the same in words of its type: "running", "exited", "auto-restart" ...
    path: where it is on the bus.
    """

    name: str
    load_state: str
    active_state: str
    sub_state: str
    path: str

    @classmethod
    def of(cls, row: list[Any]) -> "Unit":
        """Return the unit of a row of that list."""
        return cls(row[0], row[2], row[3], row[4], row[6])

    @property
    def is_running(self) -> bool:
        """Whether it is active; one that reloads is."""
        return self.active_state in ("active", "reloading", "refreshing")

    @property
    def is_stopped(self) -> bool:
        """Whether it does nothing, maybe because it has failed; a unit that starts or stops is neither."""
        return self.active_state in ("inactive", "failed")

    @property
    def type(self) -> str:
        """What kind of unit it is: "service"."""
        return self.name.rpartition(".")[2]


def full_name(name: str) -> str:
    """Return the name of a unit with its type, which is "service" if none is said."""
    return name if name.rpartition(".")[2] in TYPES else f"{name}.service"


def fault_of(name: str) -> str:
    """Return what is wrong with the full name of a unit; empty if nothing is.

    Source: systemd.unit(5), "Description".
    """
    stem = name.rpartition(".")[0]
    if stem.endswith("@"):
        return f"must name an instance of the template {name!r}"
    if not _NAME.fullmatch(stem) or len(name) > _LONGEST:
        return f"must be the name of a unit, not {name!r}"
    return ""


def template_of(name: str) -> str:
    """Return the unit file that an instance is made from, "getty@.service"; empty if it is none."""
    stem, _, kind = name.rpartition(".")
    return f"{stem.partition('@')[0]}@.{kind}" if "@" in stem else ""


def path_of(name: str) -> str:
    """Return where a unit is on the bus. Source: sd_bus_path_encode(3)."""
    encoded = (
        chr(byte) if chr(byte).isalpha() or (place and chr(byte).isdigit()) else f"_{byte:02x}"
        for place, byte in enumerate(name.encode("ascii", "replace"))
    )
    return f"/org/freedesktop/systemd1/unit/{''.join(encoded)}"
