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
    return {**_of_network(found.network), **_of_address(found.ip), "netmask": str(found.netmask)}


def _of_network(network: Any) -> dict[str, Any]:
    return {
        "network": str(network),
        "prefix": network.prefixlen,
        "first": str(network.network_address),
        "last": str(network.broadcast_address),
        "size": network.num_addresses,
    }


def _of_address(address: Any) -> dict[str, Any]:
    return {
        "address": str(address),
        "version": address.version,
        "private": address.is_private,
        "loopback": address.is_loopback,
        "reverse": address.reverse_pointer,
    }


def _no_address(frame: Frame, value: Any) -> ExpressionError:
    return ExpressionError(
        f"{shown(frame, value)} is no address", 'write one such as "10.1.2.3" or "10.1.2.3/24"'
    )
