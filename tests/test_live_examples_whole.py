"""The example that has all parts of a graph file, by the real command on a machine of its own."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from setpoint.testing.booting import SYSTEMD
from setpoint.testing.packages import Repository
from setpoint.testing.systemd import Systemd, booted, skip_without

pytestmark = [pytest.mark.root, pytest.mark.timeout(60)]  # apt takes its time

ROOT = Path(__file__).parents[1]
STANDINS = ROOT / "tests/standins"
PYTHON = Path(sys.executable).resolve()  # an environment may be where only root comes
SETPOINT = Path(sys.executable).with_name("setpoint")
AT_ONCE = 5.0  # seconds; it takes a tenth of that, but the machine of a test may be busy
FIRST, SECOND = "hunter22-first", "swordfish-second"


@pytest.fixture
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systemd]:
    """A machine with nginx to install, and the files of the example; it is called web1."""
    skip_without(systemd=SYSTEMD, dbus="/usr/bin/dbus-daemon")
    base = tmp_path_factory.getbasetemp()
    with booted(tmp_path_factory.mktemp("machine"), base) as machine:
        machine.run(["hostname", "web1"])
        machine.run(["ip", "link", "set", "lo", "up"])
        for path in ("etc/nginx", "etc/app", "var/lib/setpoint"):
            shutil.rmtree(machine.root / path, ignore_errors=True)
        repository = Repository(machine.root)
        repository.add(
            "nginx",
            files={
                "usr/lib/systemd/system/nginx.service": (STANDINS / "nginx.service").read_text(),
                "usr/sbin/nginx": f"#!{PYTHON} -IS\n{(STANDINS / 'nginx.py').read_text()}",
                "etc/nginx/conf.d/README": "sites, as *.conf\n",
            },
            postinst="systemctl daemon-reload; systemctl enable --now nginx",
        )
        repository.publish(update=False)
        shutil.copytree(ROOT / "examples/live", machine.root / "etc/setpoint")
        give(machine, FIRST)
        yield machine


def give(machine: Systemd, secret: str) -> None:
    """Put a secret in the place of the one before."""
    new = machine.root / "run/secrets/new"
    new.parent.mkdir(exist_ok=True)
    new.touch(0o600)
    new.write_text(secret)
    new.rename(new.with_name("database"))


def page(machine: Systemd, port: int) -> int:
    """Return the status of what a visitor gets; a server that has only just started may not listen yet."""
    until = time.monotonic() + AT_ONCE
    while True:
        try:
            return status(machine, port)
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def status(machine: Systemd, port: int) -> int:
    """Return the status of what a visitor gets now."""
    with machine.inside(), closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", "/")
        return connection.getresponse().status


def main_pid(machine: Systemd) -> str:
    return machine.run(["systemctl", "show", "-P", "MainPID", "nginx"]).stdout


def test_a_web_server_with_all_that_belongs_to_it_is_made_and_follows(machine, here):
    root = machine.root
    (root / "etc/hosts").touch()  # a bare installation has none
    command = [str(SETPOINT), "run", "--json", "/etc/setpoint/web.yaml"]
    running = here.spawn(*machine.command(command))
    running.settle()
    assert page(machine, 8080) == 200
    assert (root / "etc/motd").read_text().startswith("web1 is kept by Setpoint")
    assert (root / "etc/app/database.key").read_text() == FIRST
    assert len((root / "etc/app/session.key").read_text()) == 24
    assert (root / "etc/hosts").read_text().count("web1.example\n") == 1
    assert not list((root / "run").glob("disk-*.full"))

    began = time.monotonic()
    give(machine, SECOND)
    running.event("Refreshed", "noop restarted")
    assert time.monotonic() - began < AT_ONCE
    assert (root / "etc/app/database.key").read_text() == SECOND

    pid, vhost = main_pid(machine), root / "etc/setpoint/modules/vhost.yaml"
    text = vhost.read_text().replace("${{ inputs.port }}", "${{ inputs.port + 1 }}")
    new = vhost.with_name("new")  # as editors save
    new.write_text(text)
    new.rename(vhost)
    running.event("Refreshed", "svc nginx")
    running.event("Converged", failed=0, blocked=0)
    assert (page(machine, 8081), main_pid(machine)) == (200, pid)

    shared = machine.run([str(SETPOINT), "world"]).stdout
    assert "shared/web1/publish/backend" in shared
    assert "shared/web1/export/line web1" in shared
    said = "".join(running.out.lines + running.err.lines)
    assert not [secret for secret in (FIRST, SECOND) if secret in said]


def test_elsewhere_nothing_of_it_is_declared(here):
    web = ("unshare", "--uts", "sh", "-c", 'hostname db1; exec "$@"', "-")
    checked = subprocess.run(
        [*web, str(SETPOINT), "check", ROOT / "examples/live/web.yaml"],
        capture_output=True, text=True, check=True, env=here.variables,
    )  # fmt: skip
    assert "resources: 0, edges: 0" in checked.stdout
