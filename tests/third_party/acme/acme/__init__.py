"""The `acme` resource: a file with one line in it."""

from collections.abc import AsyncIterator
from pathlib import Path

from setpoint import Change, Resource, Values, hookimpl

setpoint_contract = 1


class Acme(Resource):
    """A file whose text is one line.

    name: the path of the file.
    line: its text without the end of line.

    Sends `length`: how many characters the line has.
    """

    kind = "acme"
    line: str = ""

    class Sends(Values):
        length: int

    @hookimpl
    async def watch(self) -> AsyncIterator[None]:
        """Look once: whoever writes this file is expected to notify."""
        yield

    def check(self) -> list[Change]:
        """Compare the text."""
        path = Path(self.name)
        found = path.read_text().removesuffix("\n") if path.exists() else None
        return [] if found == self.line else [Change("line", found, self.line)]

    def apply(self, changes: list[Change]) -> None:
        """Write the file."""
        Path(self.name).write_text(f"{self.line}\n")

    @hookimpl
    def send(self) -> Sends:
        """Count the characters."""
        return self.Sends(length=len(self.line))
