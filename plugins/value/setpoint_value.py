"""The `value` resource: holds a value, and sends it to those who want it."""

from typing import Any, ClassVar

import msgspec

from setpoint import Change, ParamError, Resource, Values, hookimpl


class Value(Resource):
    """A value that others receive: one name for what several resources need.

    It may itself be received, so that others need not know where it comes from. A value outlasts a restart; one that is
    secret stays so.

    name: any.
    value: text, a number, true or false, or a list or map of these; required.

    Sends `value`: it, as it is.
    """

    kind = "value"
    quick: ClassVar[bool] = True

    value: Any = None

    class Sends(Values):
        """What others receive."""

        value: Any

    def __post_init__(self) -> None:
        if self.value is None:
            raise ParamError("value", "is required", "add it")

    def check(self) -> list[Change]:
        """Find nothing: there is no more to it than what is declared."""
        return []

    @hookimpl
    def send(self) -> Sends | None:
        """Hand the value out."""
        return None if self.value is msgspec.UNSET else self.Sends(value=self.value)
