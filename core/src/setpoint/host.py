"""What a resource needs from outside, in one place: so that a test can give it another one."""

import asyncio
import hashlib
import logging
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from setpoint.clock import Clock
from setpoint.files import Files
from setpoint.processes import Processes
from setpoint.watching import Watcher

if TYPE_CHECKING:
    from setpoint.resource import Resource
    from setpoint.values import Change

T = TypeVar("T")


def state_root() -> Path:
    """Return where state is kept: /var/lib/setpoint for root, else below $XDG_STATE_HOME."""
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    if os.geteuid() == 0:
        return Path("/var/lib/setpoint")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "setpoint"


class Host:
    """The machine, as resources see it.

    Args:
        state: the directory for what resources keep between runs; made when it is first used.
        clock: the time; tests give one that they move themselves.

    """

    def __init__(self, *, state: Path | None = None, clock: Clock | None = None) -> None:
        self.state = (state or state_root()).absolute()  # files are named by absolute paths only
        self.clock = clock or Clock()
        self.watcher = Watcher(self.clock)
        self.files = Files(self.watcher)
        self.processes = Processes()

    def state_directory(self, resource: "Resource") -> Path:
        """Return the directory that is `resource`'s alone, 0700, made if it is missing.

        It outlives the process and is found again by a resource with the same kind and name.

        Raises:
            OSError: it cannot be made.

        """
        path = self.state_path(resource)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def state_path(self, resource: "Resource") -> Path:
        """Return where the directory of `resource` is, or would be made."""
        readable = re.sub(r"[^A-Za-z0-9._-]+", "-", resource.name).strip("-.")[:60]
        digest = hashlib.sha256(resource.name.encode()).hexdigest()[:16]
        return self.state / "resources" / resource.kind.replace(":", "-") / f"{readable}+{digest}"

    def log(self, resource: "Resource") -> logging.LoggerAdapter[logging.Logger]:
        """Return a logger whose records carry the resource they are about."""
        return logging.LoggerAdapter(
            logging.getLogger(f"setpoint.{resource.kind}"), {"resource": resource.id}
        )

    def peers(self, kind: str) -> Mapping[str, "Resource"]:
        """Return the resources of `kind` in the same graph by name; none without an engine."""
        return {}

    def progress(self, resource: "Resource", text: str) -> None:
        """Show `text`, one line, as what `resource` is doing now; nowhere without an engine."""

    async def intend(self, resource: "Resource", changes: "list[Change]") -> None:
        """Make durable that `resource` is about to change something; nothing without an engine."""

    async def in_thread(self, function: Callable[..., T], *args: Any) -> T:
        """Return what `function` returns, run in a worker thread because it may block."""
        return await asyncio.to_thread(function, *args)

    def close(self) -> None:
        """Give back watches and what else is held."""
        self.watcher.close()
