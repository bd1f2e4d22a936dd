"""The `exit` resource: ends the engine with a code."""

from typing import Annotated, ClassVar

import msgspec

from setpoint import Change, Resource, hookimpl


class Exit(Resource):
    """The end of the run, with an exit code.

    It ends the engine when all that it requires is as declared: what runs is finished, nothing else is started. If
    something has failed the exit code is 1 whatever is declared.

    name: any.
    code: the exit code of the command, 0 to 125.
    refresh_only: end only when a notification comes. False: as soon as its turn has come.
    """

    kind = "exit"
    quick: ClassVar[bool] = True

    code: Annotated[int, msgspec.Meta(ge=0, le=125)] = 0
    refresh_only: bool = False

    def check(self) -> list[Change]:
        """Find that the engine still runs, once."""
        if self.refresh_only or self.memory.get("ended"):
            return []
        return [Change("engine", "running", f"exit code {self.code}")]

    def apply(self, changes: list[Change]) -> None:
        """End the engine."""
        self._end()

    @hookimpl
    def refresh(self) -> None:
        """End the engine."""
        self._end()

    def _end(self) -> None:
        self.memory["ended"] = True
        self.host.end(self.code)
