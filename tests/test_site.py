"""The example of a whole site, by the real command on a machine of its own: made in one run, and then kept.

The machine is a booted systemd. Its packages are stand-ins that the test makes (`tests/standins`), with the names and
the manners of the real ones: their units are enabled and started as they are installed, and stopped as they go.
"""

import io
import json
import os
import re
import shutil
import signal
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from setpoint.testing.booting import SYSTEMD
from setpoint.testing.packages import Repository
from setpoint.testing.serving import Server
from setpoint.testing.systemd import Systemd, booted, skip_without

# apt takes its time: a first run of all is 3 s where nothing else runs
pytestmark = [pytest.mark.root, pytest.mark.timeout(60)]

ROOT = Path(__file__).parents[1]
STANDINS = ROOT / "tests/standins"
PYTHON = Path(sys.executable).resolve()  # an environment may be where only root comes
SETPOINT = Path(sys.executable).with_name("setpoint")
FILE, STATE = "etc/setpoint/site.yaml", "var/lib/setpoint"
NOT_OURS = (STATE, "etc/nginx", "etc/mysql", "etc/notes", "opt/notes", "var/lib/mysql")
RELEASE, PAGE = "/notes-1.4.tar.gz", "notes: welcome, one of 200\n"
AT_ONCE = (
    5.0  # seconds for a repair; it takes a tenth of that, but the machine of a test may be busy
)
WITH_APT = 15.0  # the same if a package is to be installed

Make = Callable[[], AbstractContextManager["Site"]]


class Site:
    """The machine, with the example and what it needs; nothing is done yet.

    said: how the commands that were started are doing, and what they said.
    """

    def __init__(self, machine: Systemd, place: Any) -> None:
        self.machine, self._place = machine, place
        self.said: list[Any] = []

    def start(self, command: str, *options: str) -> Any:
        """Start a command of Setpoint in there."""
        argv = self.machine.command([str(SETPOINT), command, *options, f"/{FILE}"])
        self.said.append(self._place.spawn(*argv))
        return self.said[-1]

    def call(self, command: str, *options: str) -> Any:
        """Run a command of Setpoint in there to its end."""
        return self.start(command, *options).end()

    def kill(self, running: Any) -> Any:
        """Kill a command as it stands, and return what it said until then."""
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children")  # of nsenter(1)
        os.kill(int(children.read_text()), signal.SIGKILL)
        return running.end()

    def page(self) -> str:
        """Return what visitors get."""
        with self.machine.inside():
            connection = HTTPConnection("127.0.0.1", timeout=5)
            connection.request("GET", "/")
            page = connection.getresponse().read().decode()
            connection.close()
        return page


@pytest.fixture(scope="module")
def make(there: Any, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Makes such a machine."""
    skip_without(systemd=SYSTEMD, dbus="/usr/bin/dbus-daemon")

    @contextmanager
    def made() -> Iterator[Site]:
        base = tmp_path_factory.getbasetemp()
        with booted(tmp_path_factory.mktemp("machine"), base) as machine:
            machine.run(["ip", "link", "set", "lo", "up"])
            prepare(machine.root)
            with machine.inside():
                server = Server()
            with closing(server):
                release = packed()
                server.put(RELEASE, release)
                text = example(release=server.url(RELEASE), sha256=sha256(release).hexdigest())
                (machine.root / FILE).parent.mkdir(parents=True)
                (machine.root / FILE).write_text(text)
                yield Site(machine, there)

    return made


def prepare(root: Path) -> None:
    """Have a machine without anything of ours, and with packages to install."""
    for path in NOT_OURS:
        shutil.rmtree(root / path, ignore_errors=True)
    for directory in PYTHON.parents:  # for all users; it may be in a home
        (root / str(directory).lstrip("/")).chmod(0o755)
    repository = Repository(root)
    repository.add(
        "nginx-common",
        files={
            "usr/lib/systemd/system/nginx.service": (STANDINS / "nginx.service").read_text(),
            "etc/nginx/sites-available/default": "server { listen 80 default_server; }\n",
            "etc/nginx/conf.d/README": "sites, as *.conf\n",
        },
        postinst="""
            mkdir -p /etc/nginx/sites-enabled
            [ "$2" ] || ln -s ../sites-available/default /etc/nginx/sites-enabled/default
        """,
    )
    repository.add(
        "nginx",
        fields="Depends: nginx-common\n",
        files={"usr/sbin/nginx": program("nginx")},
        **scripts("nginx"),
    )
    repository.add(
        "mariadb-server",
        files={
            "usr/lib/systemd/system/mariadb.service": (STANDINS / "mariadb.service").read_text(),
            "usr/sbin/mariadbd": program("mariadbd"),
            "usr/bin/mariadb": program("mariadb"),
            "etc/mysql/mariadb.conf.d/50-server.cnf": "[mysqld]\n#max_connections = 100\n",
        },
        **scripts("mariadb"),
    )
    repository.publish(update=False)


def program(name: str) -> str:
    """Return a stand-in, to be run by this Python."""
    return f"#!{PYTHON} -IS\n{(STANDINS / name).with_suffix('.py').read_text()}"


def scripts(unit: str) -> dict[str, str]:
    """Return what packages of Debian do with a unit."""
    return {
        "postinst": f"systemctl daemon-reload; systemctl enable --now {unit}",
        "prerm": f"systemctl stop {unit}",
        "postrm": "systemctl daemon-reload",
    }


def packed() -> bytes:
    """Return the release of the application."""
    text = program("notes").encode()
    member = tarfile.TarInfo("notes-1.4/bin/notes")
    member.size, member.mode = len(text), 0o755
    with io.BytesIO() as file:
        with tarfile.open(fileobj=file, mode="w:gz") as tar:
            tar.addfile(member, io.BytesIO(text))
        return file.getvalue()


def example(**values: str) -> str:
    """Return the example with other vars."""
    text = (ROOT / "examples/site.yaml").read_text()
    for name, value in values.items():
        text, count = re.subn(rf"(?m)^  {name}: .*", f"  {name}: {value}", text)
        assert count == 1
    return text


@pytest.fixture(scope="module")
def site(make: Make) -> Iterator[Site]:
    """A site that one run has made."""
    with make() as site:
        plan = site.call("plan", "--detailed-exitcode")
        assert (plan.code, plan.err) == (2, "")
        made = site.call("apply")
        assert made.code == 0, made.said
        yield site


@pytest.fixture(scope="module")
def kept(site: Site) -> Any:
    """The command that keeps it, and tells what happens."""
    running = site.start("run", "--json")
    running.event("Converged", failed=0, blocked=0)
    return running


def test_one_run_makes_it(site):
    assert site.page() == PAGE
    assert "19 resources, 17 changed" in site.said[1].out.text()


def test_a_second_run_changes_nothing(site):
    again = site.call("apply")
    assert (again.code, again.err) == (0, "")
    assert re.fullmatch(r"19 resources in \S+ s: all as declared\n", again.out)


BROKEN = {
    "a stopped service": ("systemctl stop mariadb", ["Changed svc mariadb"]),
    "a disabled service": ("systemctl disable notes", ["Changed svc notes"]),
    "a killed service": (
        "kill -9 $(systemctl show -P MainPID notes)",
        ["Changed svc notes", "Refreshed http the front page"],
    ),
    "an edited line": (
        "sed -i s/200/2/ /etc/mysql/mariadb.conf.d/50-server.cnf",
        ["Changed line clients of the database", "Refreshed svc mariadb"],
    ),
    "a removed file": (
        "rm /etc/nginx/conf.d/notes.conf",
        ["Changed file /etc/nginx/conf.d/notes.conf", "Refreshed svc nginx"],
    ),
    "a file that is back": (
        "ln -s ../sites-available/default /etc/nginx/sites-enabled/",
        ["Changed file /etc/nginx/sites-enabled/default", "Refreshed svc nginx"],
    ),
    "another mode": (
        "chmod 644 /etc/notes/notes.conf",
        ["Changed file /etc/notes/notes.conf", "Refreshed svc notes"],
    ),
    "a removed unit file": (
        "rm /etc/systemd/system/notes.service",
        ["Changed file /etc/systemd/system/notes.service", "Refreshed svc notes"],
    ),
    "a changed download": (
        f"echo >> $(echo /{STATE}/resources/http/release+*/content)",
        ["Changed http release"],
    ),
    "a changed program": (
        "echo nonsense >> /opt/notes/bin/notes",
        ["Changed archive /opt/notes", "Refreshed svc notes"],
    ),
    "a dropped database": ("rm -r /var/lib/mysql/notes", ["Changed exec make the database"]),
    "a lost password": (
        f"rm /{STATE}/resources/password/database+*/password",
        [
            "Changed password database",
            "Changed file /etc/notes/database.sql",
            "Changed exec make the database",
            "Refreshed svc notes",
        ],
    ),
    "a removed user": ("userdel -f notes", ["Changed group notes", "Changed user notes"]),
    "a removed package": (
        "apt-get -qq remove nginx",
        ["Changed pkg nginx", "Refreshed svc nginx"],
    ),
    "a removed package with what it needs": (
        "apt-get -qq purge nginx nginx-common",
        ["Changed pkg nginx", "Refreshed svc nginx"],
    ),
    "a removed database server": (
        "apt-get -qq remove mariadb-server",
        ["Changed pkg mariadb-server", "Refreshed svc mariadb"],
    ),
}


@pytest.mark.parametrize(("command", "repairs"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_by_hand_is_repaired_in_order(site, kept, command, repairs):
    began = time.monotonic()
    site.machine.run(["sh", "-c", command])
    for repair in repairs:
        kept.event(*repair.split(" ", 1))
    kept.event("Converged", failed=0, blocked=0)
    assert time.monotonic() - began < (WITH_APT if "apt-get" in command else AT_ONCE)
    assert site.page() == PAGE


def test_then_there_is_nothing_left_to_do(site, kept):
    plan = site.call("plan", "--detailed-exitcode")
    assert (plan.code, plan.out) == (0, "0 to add, 0 to change, 0 to drop, 19 unchanged\n")
    assert kept.err.lines == []


def test_nobody_has_seen_the_password(site):
    root = site.machine.root
    password = re.search("password = (.+)", (root / "etc/notes/notes.conf").read_text())[1]
    assert len(password) == 32
    for command in ("plan --json", "apply --json", "graph"):
        site.call(*command.split())
    assert not [line for said in site.said for line in said.out.lines if password in line]
    assert not [line for said in site.said for line in said.err.lines if password in line]
    files = [path for path in (root / STATE).rglob("*") if path.is_file()]
    assert [p.name for p in files if password.encode() in p.read_bytes()] == ["password"]


def test_who_goes_on_after_killed_engines_refreshes_what_they_owed(make):
    with make() as site:
        first = site.start("apply", "--json")
        first.event("Changed", "archive /opt/notes")  # apt is at work, svc notes has to wait for it
        lives = [site.kill(first)]
        assert not refreshers(lives[0], "svc notes")
        while lives[-1].code:
            lives.append(live(site, len(lives)))
        assert "archive /opt/notes" in set().union(
            *(refreshers(life, "svc notes") for life in lives[1:])
        )
        assert site.page() == PAGE
        again = site.call("apply", "--json")
        assert (again.code, again.events("Changed"), again.events("Refreshed")) == (0, [], [])


def live(site: Site, steps: int) -> Any:
    """Apply, and kill that after some steps, unless it has ended."""
    running = site.start("apply", "--json")
    for _ in range(steps):
        happened = json.loads(running.out.until(is_step))
        if happened["type"] == "Ended":
            return running.end()
    return site.kill(running)


def is_step(line: str) -> bool:
    return json.loads(line)["type"] in ("Changed", "Refreshed", "Ended")


def refreshers(life: Any, id_: str) -> set[str]:
    """Return because of whom a resource was refreshed in a life."""
    return {by for event in life.events("Refreshed") if event["id"] == id_ for by in event["by"]}
