"""The pytest plugin `setpoint`: the fixtures of `setpoint.testing`, in every test of an environment that has it.

It is loaded by every run of pytest there, so it imports nothing but pytest: a fixture imports what it needs when a test
asks for it, and so do the modules whose fixtures are handed on here. A fixture of the same name in a `conftest.py` or a
test module comes before the one from here.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from setpoint.testing.http import http_server, https_server
from setpoint.testing.namespaces import private
from setpoint.testing.packages import apt_repository
from setpoint.testing.systemd import inside_systemd, systemd, systemd_udev

if TYPE_CHECKING:
    from setpoint.host import Host
    from setpoint.testing.clocks import VirtualClock
    from setpoint.testing.engines import Engines
    from setpoint.testing.lives import Crash

__all__ = [
    "apt_repository",
    "crash",
    "engine",
    "host",
    "http_server",
    "https_server",
    "inside_systemd",
    "private",
    "systemd",
    "systemd_udev",
    "virtual_clock",
]


def pytest_configure(config: pytest.Config) -> None:
    """Say what the mark is for."""
    config.addinivalue_line("markers", "root: needs to be root, and is skipped where we are not")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what only root may do."""
    if os.geteuid() != 0 and item.get_closest_marker("root"):
        pytest.skip("only root may do this")


@pytest.fixture
def host(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Host]":
    """Give this test a host: this machine, with an empty state directory outside of `tmp_path`; closed afterwards."""
    from setpoint.host import Host

    host = Host(state=tmp_path_factory.mktemp("state"))
    yield host
    host.close()


@pytest.fixture
def engine(host: "Host") -> "Engines":
    """Run graphs in this test's loop, on its host; see `setpoint.testing.engines`."""
    from setpoint.testing.engines import Engines

    return Engines(host)


@pytest.fixture
def crash() -> "Crash":
    """Let work be done in processes that are killed; see `setpoint.testing.lives`."""
    from setpoint.testing.lives import Crash

    return Crash()


@pytest.fixture
def virtual_clock() -> "Iterator[VirtualClock]":
    """Give this test time that jumps over all waiting: for a host, `Host(clock=virtual_clock)`."""
    from setpoint.testing.clocks import VirtualClock

    clock = VirtualClock()
    yield clock
    clock.let_go()
