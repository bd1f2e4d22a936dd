"""The `noop` resource: has no state, and says when it is notified."""

from typing import ClassVar

from setpoint import Change, Resource, Thing, hookimpl


class Noop(Resource):
    """Something that is always as declared, and says so when a notification reaches it.

    Good as a place where edges meet, and to see what notifies whom.

    name: any.
    comment: a note for people, any text; empty is none.
    """

    kind = "noop"
    quick: ClassVar[bool] = True

    comment: str = ""

    def reads(self) -> tuple[Thing, ...]:
        """Look at nothing."""
        return ()

    def check(self) -> list[Change]:
        """Find nothing, ever."""
        return []

    @hookimpl
    def refresh(self) -> None:
        """Say that a notification was received."""
        self.host.log(self).info("received a notification")
        self.host.progress(self, "received a notification")
