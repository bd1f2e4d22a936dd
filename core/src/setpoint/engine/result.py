"""How a run ended."""

from collections.abc import Mapping

import msgspec


class Result(msgspec.Struct, frozen=True):
    """How a run ended.

    resources: how many there are in the graph.
    repairs: how many runs changed something.
    failed: id to why, for each resource that failed last.
    blocked: id to the id of what blocks it.
    unfinished: how many were not settled when the run was stopped.
    waiting: how many are declared, but wait for facts that are not known, or for something that does.
    exit_code: with which a resource has ended the run; None if none has.
    """

    resources: int
    repairs: int
    failed: Mapping[str, str]
    blocked: Mapping[str, str]
    unfinished: int
    waiting: int = 0
    exit_code: int | None = None

    @property
    def ok(self) -> bool:
        """Whether all is as declared, as far as the run was to go."""
        left = (self.unfinished or self.waiting) and self.exit_code is None
        return not (self.failed or self.blocked or left)
