"""Examples of live graphs with services, by the real command in a systemd that is booted for them."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from setpoint.testing.systemd import Systemd

pytestmark = pytest.mark.root

ROOT = Path(__file__).parents[1]
PYTHON = Path(sys.executable).resolve()  # an environment may be where only root comes
SETPOINT = Path(sys.executable).with_name("setpoint")
AT_ONCE = 5.0  # seconds; it takes a tenth of that, but the machine of a test may be busy
LEFT = (
    "etc/web",
    "run/web.said",
    "run/web.ill",
    "run/web.broken",
    "etc/systemd/system/web.service",
)


class Machine:
    """A machine with a web server that an example keeps."""

    def __init__(self, systemd: Systemd, place: Any) -> None:
        self.systemd, self._place = systemd, place
        self.program("web", f"#!{PYTHON} -IS\n{(ROOT / 'tests/standins/web.py').read_text()}")

    def program(self, name: str, text: str) -> None:
        """Install a program."""
        path = self.systemd.root / "usr/local/bin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def keep(self, name: str, **other: str) -> Any:
        """Run an example until it has converged, with `other` texts in the place of some."""
        text = (ROOT / "examples/live" / f"{name}.yaml").read_text()
        for written, instead in other.items():
            assert written in text
            text = text.replace(written, instead)
        (self.systemd.root / "run/example.yaml").write_text(text)
        argv = [str(SETPOINT), "run", "--json", "--tmp-prefix", "/run/example.yaml"]
        running = self._place.spawn(*self.systemd.command(argv))
        running.settle()
        return running

    def said(self, lines: int) -> list[list[str]]:
        """Return the words of each line that the server has written, once there are so many."""
        path, deadline = self.systemd.root / "run/web.said", time.monotonic() + AT_ONCE
        while (text := path.read_text()).count("\n") < lines and time.monotonic() < deadline:
            time.sleep(0.01)
        return [line.split() for line in text.splitlines()]


@pytest.fixture
def machine(systemd: Systemd, here: Any) -> Iterator[Machine]:
    yield Machine(systemd, here)
    here.close()
    systemd.run(["sh", "-c", f"systemctl stop web; rm -rf {' '.join(f'/{path}' for path in LEFT)}"])
    systemd.run(["systemctl", "daemon-reload"])


def test_a_server_is_reloaded_and_not_restarted(machine):
    running = machine.keep("reload")
    ((pid, *words),) = machine.said(1)
    assert words[3:] == ["page", "=", "index.html"]
    maintenance = machine.systemd.root / "etc/web/maintenance"
    for number, (change, page) in enumerate(
        ((maintenance.touch, "maintenance.html"), (maintenance.unlink, "index.html")), 2
    ):
        change()
        began = time.monotonic()
        running.event("Refreshed", "svc web", by=["file /etc/web/web.conf"])
        assert time.monotonic() - began < AT_ONCE
        assert machine.said(number)[-1] == [pid, *words[:5], page]


UNIT = "[Service]\nType=notify\nExecStart=/usr/local/bin/web /run/example.yaml\n"
PROBE = """\
#!/bin/sh
if rm /run/web.ill 2>/dev/null || [ -e /run/web.broken ]; then date '+does not answer at %T.%N'; else echo ok; fi
"""


def test_a_server_that_is_not_well_is_restarted_but_not_again_and_again(machine):
    root = machine.systemd.root
    machine.systemd.unit("web.service", UNIT)
    machine.systemd.run(["systemctl", "daemon-reload"])
    machine.program("is-web-well", PROBE)
    running = machine.keep("health", **{"delay: 5": "delay: 0.3"})
    ((first, *_),) = machine.said(1)
    (root / "run/web.ill").touch()  # for one look
    began = time.monotonic()
    running.event("Refreshed", "svc web", by=["noop restart it"])
    assert time.monotonic() - began < AT_ONCE
    assert machine.said(2)[1][0] != first
    (root / "run/web.broken").touch()  # a restart does not help
    running.event("Refreshed", "svc web")
    lines = len(running.events("Swapped"))
    while len(running.events("Swapped")) < lines + 5:  # each look finds it so
        running.event("Swapped")
    assert len(machine.said(3)) == 3  # two at once; the next one is due in 50 seconds
