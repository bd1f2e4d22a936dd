"""`ip(…)`: what follows from an address or a network."""

from typing import Any

from setpoint.expressions.faults import ExpressionError
from setpoint.expressions.frame import Frame
from setpoint.expressions.operators import shown

STEPS = 300  # of one call
LONGEST = 100  # characters of an address with its prefix


def ip(frame: Frame, value: Any) -> dict[str, Any]:
    """Return what follows from `value`, an address or one with a prefix or mask: "10.1.2.3/24".

    Raises:
        ExpressionError: it is neither.

    """
    if type(value) is not str or len(value) > LONGEST:
        raise _no_address(frame, value)
    import ipaddress  # 4 ms, for the few who need it

    try:
        found = ipaddress.ip_interface(value.strip())
    except ValueError:
        raise _no_address(frame, value) from None
    frame.pay(STEPS)
    return {
        "address": str(found.ip),
        "version": found.version,
        "prefix": found.network.prefixlen,
        "netmask": str(found.netmask),
        "network": str(found.network),
        "first": str(found.network.network_address),
        "last": str(found.network.broadcast_address),
        "size": found.network.num_addresses,
        "private": found.ip.is_private,
        "loopback": found.ip.is_loopback,
        "reverse": found.ip.reverse_pointer,
    }


def _no_address(frame: Frame, value: Any) -> ExpressionError:
    return ExpressionError(
        f"{shown(frame, value)} is no address", 'write one such as "10.1.2.3" or "10.1.2.3/24"'
    )
