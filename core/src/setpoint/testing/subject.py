"""`Subject`: the resource that a suite tries, and how it is looked at, applied and disturbed."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from setpoint.host import Host
from setpoint.resource import Resource
from setpoint.testing.snapshot import snapshot
from setpoint.values import Change

ROUNDS = 3  # applies after which a test that is not about their number gives up


class Subject:
    """What a suite tries, and how: the part that each subclass fills in, and what all tests need.

    `resource` is a fixture: a declaration whose state the machine does not have yet, on the fixture `host`.

    watches: False for a kind without a watch of its own.
    checks: False for a kind without a state: a check of `resource` finds nothing.
    refuses_others: True for a kind that only root can apply, and that says so.
    patience: seconds in which the watch has to begin, and to notice a disturbance.
    """

    watches: ClassVar[bool] = True
    checks: ClassVar[bool] = True
    refuses_others: ClassVar[bool] = False
    patience: ClassVar[float] = 5.0

    @pytest.fixture
    def resource(self) -> Resource:
        """Return what to try; each subclass has its own."""
        raise NotImplementedError(f"{type(self).__name__} has to have a fixture `resource`")

    async def disturb(self, resource: Any) -> None:
        """Change on the machine, as somebody else would, what `resource` declares and was applied."""
        raise NotImplementedError(f"{type(self).__name__} has to have `async def disturb`")

    async def undo(self, resource: Any) -> None:
        """Take all away that `resource` has made; a disturbance, if nothing else is known."""
        await self.disturb(resource)

    def observe(self, resource: Any) -> object:
        """Return what is on the machine of what `resource` declares, to be compared by ==.

        What lies in `tmp_path` is compared in any case.
        """

    def restarted(self, resource: Any, state: str = "") -> Any:
        """Return `resource` as the next process declares it: nothing in memory, and what it kept in `state`.

        Args:
            resource: as this process has it.
            state: another directory for what is kept between runs; "" is that of `resource`.

        """
        host = Host(state=state or resource.host.root, clock=resource.host.clock)
        return msgspec.structs.replace(resource, _host=host)

    # how the tests go about it

    def _seen(self, resource: Any, tmp_path: Path) -> object:
        """Return all that can be seen of the machine, also that something was written just as it was."""
        return self.observe(resource), snapshot(str(tmp_path), resource.host.root, stamps=True)

    async def _settle(self, resource: Any) -> None:
        """Apply until nothing is left to do."""
        for _ in range(ROUNDS):
            if not await resource.check_apply(apply=True):
                return
        left = await resource.check_apply(apply=False)
        assert not left, f"after {ROUNDS} applies there is still {shown(left)}"

    async def _undo(self, resource: Any) -> None:
        if self.checks:
            await self.undo(resource)

    @contextmanager
    def _next_process(self, resource: Any, state: str = "") -> Iterator[Any]:
        """Give `resource` as `restarted` has it, on a host that is closed afterwards."""
        again = self.restarted(resource, state)
        try:
            yield again
        finally:
            again.host.close()


def shown(changes: Iterable[Change]) -> str:
    """Return differences as a person reads them."""
    return ", ".join(map(str, changes)) or "nothing"
