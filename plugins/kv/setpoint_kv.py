"""The `kv` resource: a key of what hosts share."""

from collections.abc import AsyncIterator

from setpoint import Change, Refused, Resource, Values, hookimpl
from setpoint.watching import Subscription


class Kv(Resource):
    """A key with a value in the world: what is shared with other graphs and, where the world is a cluster, other hosts.

    Without such a world it is local: a file in the state directory. Who can read that can read the value, so one with a
    secret in it is refused.

    name: the key, if key is empty.
    key: the key, any text; empty takes the name.
    value: what it has, any text; left out, the key is to be absent.

    Sends `value`: what it has; empty if it is absent.
    Sends `revision`: the number of its latest change in that world, 1 or more; 0 if it is absent.
    """

    kind = "kv"

    key: str = ""
    value: str | None = None

    class Sends(Values):
        """The value, and which change of the world it came with."""

        value: str
        revision: int

    @property
    def _key(self) -> str:
        return self.key or self.name

    @hookimpl
    def watch(self) -> Subscription | AsyncIterator[None]:
        """Say when the key may have changed."""
        return self.host.world.changes(self._key)

    async def check(self) -> list[Change]:
        """Compare the value."""
        if self.value and self.host.hide(self, "value", self.value) != self.value:
            raise Refused(
                "value has a secret in it, and all hosts can read what is shared", "leave it out"
            )
        entry = await self.host.world.get(self._key)
        self.memory["revision"] = entry.revision if entry else 0
        found = entry.value if entry else None
        return [] if found == self.value else [Change("value", found, self.value)]

    async def apply(self, changes: list[Change]) -> None:
        """Set the key, or remove it, if nobody has changed it since it was looked at."""
        world, revision = self.host.world, self.memory["revision"]
        if self.value is None:
            await world.delete(self._key, revision=revision)
        else:
            await world.set(self._key, self.value, revision=revision)

    @hookimpl
    async def send(self) -> Sends:
        """Hand out what it has now."""
        entry = await self.host.world.get(self._key)
        return self.Sends(
            value=entry.value if entry else "", revision=entry.revision if entry else 0
        )
