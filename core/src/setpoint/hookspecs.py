"""The hooks, in the order the engine calls them. This file is the contract.

A kind implements these verbs as methods, without `resource` and `proceed`: those are `self` and nobody. Any plugin may
implement a verb as a function too (entry point group `setpoint.plugins`). Then it stands around that verb of every
resource, the last registered outermost:

    @hookimpl
    async def check_apply(resource, proceed):
        log.info("checking %s", resource)
        return await proceed()

`proceed()` goes on with the same arguments, `proceed(apply=False)` with another one; a function that does not call it
replaces the verb. Of the arguments take only those you need.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from setpoint.resource import Resource
    from setpoint.values import Change, Values
    from setpoint.watching import Subscription

CONTRACT = 1  # the major version; a plugin that was written for another one is refused

hookspec = pluggy.HookspecMarker("setpoint")
hookimpl = pluggy.HookimplMarker("setpoint")

VERBS = ("watch", "recv", "check_apply", "refresh", "send")

Proceed = Callable[..., Awaitable[Any]]


@hookspec
def watch(
    resource: "Resource", proceed: Callable[[], "Subscription | AsyncIterator[None]"]
) -> "Subscription | AsyncIterator[None]":
    """Say when to look again.

    Returns:
        A subscription (of `resource.host`), or an async iterator: its first item says "watching
        has begun", each later one "look again". It may yield too often, it must never miss a change.

    Raises:
        OSError: watching failed; the engine waits `meta.delay` seconds and begins anew.

    """
    raise NotImplementedError


@hookspec
async def recv(resource: "Resource", values: Mapping[str, object], proceed: Proceed) -> None:
    """Take over `values`, param to new value, from the resources that send to this one.

    Called before `check_apply`, only with what differs from what the resource has.

    Raises:
        ValueError: a value is not one that the param can have; the run fails.

    """


@hookspec
async def check_apply(resource: "Resource", apply: bool, proceed: Proceed) -> "list[Change]":
    """Compare the machine with the declaration; if `apply`, repair what differs.

    Without `apply` nothing on the machine may change.

    Returns:
        The differences found, which are repaired if `apply`. Empty: as declared.

    Raises:
        OSError: the machine refused; the engine tries again `meta.retry` times.
        Refused: it cannot be done, whatever the number of tries.

    """
    raise NotImplementedError


@hookspec
async def refresh(resource: "Resource", proceed: Proceed) -> None:
    """React to a notification: a resource that this one listens to has changed something.

    Called after `check_apply`, at least once after that change. A kind without it passes the
    notification on to those that listen to it.
    """


@hookspec
async def send(resource: "Resource", proceed: Proceed) -> "Values | None":
    """Return what others may receive, an instance of the kind's `Sends`.

    Called after each run that succeeded, if somebody receives from this resource. None: nothing new; what was sent
    last stands, and if nothing ever was, the receivers wait.
    """
    raise NotImplementedError
