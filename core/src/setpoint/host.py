"""What a resource needs from outside, in one place: so that a test can give it another one."""

import asyncio
import logging
import os
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from setpoint.clock import Clock
from setpoint.errors import Refused
from setpoint.files import Files
from setpoint.paths import absolute
from setpoint.temporaries import remove_leftovers_below
from setpoint.watching import Watcher

if TYPE_CHECKING:
    from pathlib import Path

    from setpoint.processes import Processes
    from setpoint.resource import Fact, Resource
    from setpoint.values import Change
    from setpoint.world import World

T = TypeVar("T")


def state_root() -> str:
    """Return where state is kept: /var/lib/setpoint for root, else below $XDG_STATE_HOME."""
    if given := os.environ.get("STATE_DIRECTORY"):
        return given.split(":")[0]
    if os.geteuid() == 0:
        return "/var/lib/setpoint"
    home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(home, "setpoint")


class Host:
    """The machine, as resources see it.

    Args:
        state: the directory for what resources keep between runs; made when it is first used.
        clock: the time; tests give one that they move themselves.
        name: what this host is called among those that share a world; its own name without domain if nobody says.

    root: the path of that directory, absolute.

    """

    def __init__(
        self,
        *,
        state: str | os.PathLike[str] | None = None,
        clock: Clock | None = None,
        name: str = "",
    ) -> None:
        self.root = absolute(state or state_root())
        self.clock = clock or Clock()
        self.name = name or os.uname().nodename.partition(".")[0]
        self.watcher = Watcher(self.clock)
        self.files = Files(self.watcher)
        self._shared: dict[Callable[[Host], Any], Any] = {}

    def shared(self, make: "Callable[[Host], T]") -> T:
        """Return what `make` makes of this host, the same each time: a connection, a table.

        Its `close()`, if it has one, is called when the host is closed. Used on the loop.
        """
        if make not in self._shared:
            self._shared[make] = make(self)
        made: T = self._shared[make]
        return made

    @cached_property
    def processes(self) -> "Processes":
        """What runs programs; used on the loop."""
        from setpoint.processes import Processes  # 3 ms, and many graphs run nothing

        return Processes()

    @cached_property
    def world(self) -> "World":
        """What graphs and hosts share."""
        from setpoint.world import World

        return World(self.root, self.files)

    @property
    def state(self) -> "Path":
        """The directory for what resources keep between runs; absolute, and may not be there."""
        from pathlib import Path  # 8 ms, and few kinds keep state

        return Path(self.root)

    def state_directory(self, resource: "Resource | Fact") -> "Path":
        """Return the directory that is `resource`'s alone, 0700, made if it is missing.

        It outlives the process and is found again by a resource, or a fact, with the same kind and name.

        Raises:
            OSError: it cannot be made.

        """
        path = self.state_path(resource)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def remove_unfinished(self) -> None:
        """Remove what processes that are no more were writing in directories of resources."""
        remove_leftovers_below(os.path.join(self.root, "resources"))

    def state_path(self, resource: "Resource | Fact") -> "Path":
        """Return where the directory of `resource` is, or would be made."""
        from hashlib import sha256  # 2 ms

        readable = re.sub(r"[^A-Za-z0-9._-]+", "-", resource.name).strip("-.")[:60]
        digest = sha256(resource.name.encode()).hexdigest()[:16]
        return self.state / "resources" / resource.kind.replace(":", "-") / f"{readable}+{digest}"

    def log(self, resource: "Resource | Fact") -> logging.LoggerAdapter[logging.Logger]:
        """Return a logger whose records carry the resource they are about."""
        return logging.LoggerAdapter(
            logging.getLogger(f"setpoint.{resource.kind}"), {"resource": resource.id}
        )

    def peers(self, resource: "Resource", kind: str) -> Mapping[str, "Resource"]:
        """Return the resources of `kind` in the same graph by name; none without an engine.

        `resource`, which asks, is looked at again when one of them comes, is declared otherwise or leaves.
        """
        return {}

    def progress(self, resource: "Resource", text: str, *, if_lasting: bool = False) -> None:
        """Show `text`, one line, as what `resource` is doing now; nowhere without an engine.

        Args:
            resource: whose.
            text: what it is doing.
            if_lasting: show it only if nothing else is heard of `resource` for half a second.

        """

    def hide(self, resource: "Resource", param: str, text: str) -> str:
        """Return `text`, made of `param` of `resource`, as it may be seen: with "(secret)" for each secret in it.

        For kinds that show it themselves. Without an engine nobody knows what is secret, and it stays as it is.
        """
        return text

    def end(self, code: int) -> None:
        """End the engine, with `code` as its exit code.

        Raises:
            Refused: there is none.

        """
        raise Refused("there is no engine to end")

    async def intend(self, resource: "Resource", changes: "list[Change]") -> None:
        """Make durable that `resource` is about to change something; nothing without an engine."""

    async def in_thread(self, function: Callable[..., T], *args: Any) -> T:
        """Return what `function` returns, run in a worker thread because it may block."""
        result: T
        result, stopped = await asyncio.to_thread(_call, function, *args)
        if stopped is not None:
            raise stopped
        return result

    def close(self) -> None:
        """Give back watches and what else is held."""
        while self._shared:
            _, made = self._shared.popitem()  # the last first: it may use what was there before
            if hasattr(made, "close"):
                made.close()
        self.watcher.close()


def _call(function: Callable[..., T], *args: Any) -> tuple[Any, StopIteration | None]:
    """Return what `function` returns, or its StopIteration: a future refuses that, and is never done."""
    try:
        return function(*args), None
    except StopIteration as stopped:
        return None, stopped
