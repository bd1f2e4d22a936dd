"""The names of units, and where they are on the bus."""

import pytest

from setpoint.dbus.units import fault_of, full_name, path_of, template_of

UNITS = "/org/freedesktop/systemd1/unit/"


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("ssh", "ssh.service"),
        ("ssh.socket", "ssh.socket"),
        ("org.example.Thing", "org.example.Thing.service"),
        ("getty@tty1", "getty@tty1.service"),
        ("dev-sda\\x2d1.device", "dev-sda\\x2d1.device"),
    ],
)
def test_a_name_without_a_type_is_that_of_a_service(name, full):
    assert full_name(name) == full
    assert not fault_of(full)


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a@", "@b", "ä", "a@b@c", "a" * 250])
def test_what_cannot_be_a_unit_is_known(name):
    assert fault_of(full_name(name))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("dbus.service", "dbus_2eservice"),
        ("systemd-journald.socket", "systemd_2djournald_2esocket"),
        ("1st@x_y.service", "_31st_40x_5fy_2eservice"),
    ],
)
def test_a_unit_is_where_systemd_has_it(name, path):
    assert path_of(name) == UNITS + path


def test_an_instance_is_made_from_its_template():
    assert template_of("getty@tty1.service") == "getty@.service"
    assert template_of("ssh.service") == ""
