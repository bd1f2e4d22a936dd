"""What the expressions of these tests can name."""

import pytest

from setpoint.expressions import UNKNOWN
from setpoint.values import Secret, Values


class Disk(Values):
    """A disk, as a fact tells it."""

    name: str
    used: int
    label: str | None = None


@pytest.fixture
def names() -> dict[str, object]:
    """Return values for every name."""
    return {
        "vars": {"port": 8080, "name": "web", "ok": True, "none": None, "list": [3, 1, 2]},
        "inputs": {"docroot": "/srv/www"},
        "facts": {
            "load": {"x1": 5.5, "x5": 1.0},
            "cpu": {"count": 4},
            "disks": [Disk(name="sda", used=95), Disk(name="sdb", used=10, label="old")],
            "silent": UNKNOWN,
            "half": {"known": 1, "silent": UNKNOWN},
        },
        "send": {"password db": {"password": Secret("pw1234")}},
        "each": {"key": "blog", "value": {"name": "blog.example"}},
        "host": {"name": "web1"},
        "hosts": ["web1", "web2"],
        "world": {},
        "secrets": {
            "db": Secret("hunter22"),
            "keys": Secret({"a": "first one"}),
            "number": Secret(271828),
        },
        "env": {"HOME": "/root"},
    }
