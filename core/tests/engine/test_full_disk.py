"""A state directory whose disk is full: nothing that notifies is changed, and all is once there is room."""

from contextlib import suppress
from pathlib import Path

import pytest

from setpoint.engine import outcomes
from setpoint.engine.events import Failed, Recovered, Refreshed
from setpoint.testing.namespaces import mount


def fill(disk: Path) -> Path:
    """Take all the room that is left on `disk`; return the file that has it."""
    with (disk / "filler").open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return disk / "filler"


@pytest.mark.root
@pytest.mark.parametrize("speed", ["cell", "plain", "slow"])
async def test_what_failed_on_a_full_disk_is_done_when_there_is_room(
    lab, private, monkeypatch, speed
):
    monkeypatch.setattr(outcomes, "UNWRITTEN", 0.01)
    private()
    lab.state.mkdir()
    mount("tmpfs", str(lab.state), "tmpfs", "size=512k")
    kind, names = getattr(lab, speed), [f"a{number}" for number in range(40)]
    resources = [kind(name, value=1) for name in (*names, "b")]
    edges = "; ".join(f"{speed} {name} ~> {speed} b" for name in names)
    async with lab.kept(lab.graph(*resources, edges=edges), durable=True) as kept:
        filler = fill(lab.state)
        for name in names:  # the file of the journal has some room of its own
            lab.machine.disturb(name, 2)
            event = await kept.heard(lambda event: isinstance(event, Failed | Refreshed))
            if isinstance(event, Failed):
                break
        assert "make room on its file system" in event.error
        assert lab.machine.cells[name] == 2
        filler.unlink()
        await kept.told(Recovered, f"{speed} {name}")
        await kept.told(Refreshed, f"{speed} b")
    failures = [event.id for event in lab.events if isinstance(event, Failed)]
    assert failures == [f"{speed} {name}"]  # it is not tried in vain
    assert set(lab.machine.cells.values()) == {1}
    assert kept.result.ok
