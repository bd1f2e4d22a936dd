"""Noop: never differs, and says that it was notified."""

import logging
from pathlib import Path

import pytest

from setpoint.host import Host
from setpoint.testing import ResourceSuite
from setpoint_noop import Noop


class TestNoop(ResourceSuite):
    checks = watches = False

    @pytest.fixture
    def resource(self, host: Host) -> Noop:
        return Noop("any", comment="a note", _host=host)


def test_a_notification_is_logged_with_the_resource_it_reached(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, logger="setpoint.noop"):
        Noop("restarted").refresh()
    (record,) = caplog.records
    assert record.getMessage() == "received a notification"
    assert record.resource == "noop restarted"  # type: ignore[attr-defined]


def test_a_notification_is_shown_as_progress(tmp_path: Path) -> None:
    shown: list[tuple[str, str]] = []

    class Screen(Host):
        def progress(self, resource: object, text: str) -> None:
            shown.append((str(resource), text))

    host = Screen(state=tmp_path)
    Noop("restarted", _host=host).refresh()
    host.close()
    assert shown == [("noop restarted", "received a notification")]
