"""systemd-hostnamed, which changes all three names, and tells those who listen to it.

Source: org.freedesktop.hostname1(5).
"""

import os
from typing import TYPE_CHECKING

from setpoint import Refused

if TYPE_CHECKING:
    from setpoint.host import Host

BOOTED = "/run/systemd/system"  # sd_booted(3)

_SERVICE, _PATH = "org.freedesktop.hostname1", "/org/freedesktop/hostname1"
_METHODS = {
    "static_hostname": "SetStaticHostname",
    "transient_hostname": "SetHostname",
    "pretty_hostname": "SetPrettyHostname",
}
_MISSING = {"ServiceUnknown", "NameHasNoOwner", "NoSuchUnit", "UnitMasked"}


async def tell(host: "Host", param: str, name: str) -> bool:
    """Have it set one of the names; return whether it is there to do so.

    Raises:
        Refused: we may not.
        OSError: it failed.

    """
    if not os.path.isdir(BOOTED):
        return False
    from setpoint.dbus import CallError, system_bus

    bus = host.shared(system_bus)
    try:
        await bus.call(_SERVICE, _PATH, _SERVICE, _METHODS[param], "sb", name, False)
    except PermissionError:
        raise Refused("only root may name this machine", "run this as root") from None
    except CallError as error:
        if error.reason not in _MISSING:
            raise
        return False
    return True
