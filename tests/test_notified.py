"""A resource knows during its check whether a notification waits for it."""

from typing import Any, ClassVar

from setpoint import Change, Resource, hookimpl
from setpoint_file import File


class Listener(Resource):
    """Remembers whether it was notified when it was checked.

    name: any.
    """

    kind = "listener"
    seen: ClassVar[list[bool]] = []

    def check(self) -> list[Change]:
        self.seen.append(self.notified)
        return []

    @hookimpl
    def refresh(self) -> None:
        assert self.notified


async def test_it_is_notified_only_while_a_refresh_is_owed(engine: Any, tmp_path: Any) -> None:
    Listener.seen.clear()
    edges = f"file {tmp_path}/a ~> listener b"
    for content in ("one", "one", "two"):
        result = await engine.converge(
            File(f"{tmp_path}/a", content=content), Listener("b"), edges=edges
        )
        assert result.ok
    assert Listener.seen == [True, False, True]
