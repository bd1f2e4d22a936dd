"""What was paused is on disk, and only the same processes come out of it again."""

import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from setpoint.host import Host
from setpoint_process.record import Notebook, notebooks, of_this_command

if TYPE_CHECKING:
    from conftest import Herd


@pytest.fixture
def notebook(host: Host) -> Notebook:
    return of_this_command(host, "setpoint pause this")


def test_what_is_added_is_read_again(notebook: Notebook, herd: "Herd") -> None:
    first, second = (herd.entry(pid) for pid in herd.sleepers(2))
    notebook.add([first])
    notebook.add([second])
    record = Notebook(notebook.path, notebook.host).read()
    assert record.by == "setpoint pause this"
    assert [entry.pid for entry in record.living()] == [first.pid, second.pid]


def test_it_is_for_its_owner_only(notebook: Notebook, herd: "Herd") -> None:
    notebook.add([herd.entry(*herd.sleepers())])
    assert stat.S_IMODE(notebook.path.stat().st_mode) == 0o600


def test_without_an_entry_there_is_no_file(notebook: Notebook, herd: "Herd") -> None:
    notebook.add([herd.entry(*herd.sleepers())])
    notebook.keep([])
    assert not notebook.path.exists()
    assert notebook.read().processes == []


def test_who_has_ended_or_passed_its_pid_on_is_not_among_the_living(
    notebook: Notebook, herd: "Herd"
) -> None:
    first, second = (herd.entry(pid) for pid in herd.sleepers(2))
    notebook.keep([first._replace(start=first.start - 1), second])
    assert [entry.pid for entry in notebook.read().living()] == [second.pid]


def test_pids_of_an_earlier_boot_mean_nothing(notebook: Notebook, herd: "Herd") -> None:
    notebook.add([herd.entry(*herd.sleepers())])
    text = notebook.path.read_text()
    notebook.path.write_text(text.replace(notebook.read().boot, "another"))
    assert notebook.read().living() == []


def test_a_file_that_is_no_record_is_named(notebook: Notebook) -> None:
    notebook.path.parent.mkdir()
    notebook.path.write_text("{}")
    with pytest.raises(ValueError, match=rf"{notebook.path}: is no record .*; remove it"):
        notebook.read()


def test_those_of_commands_and_of_resources_are_found(
    host: Host, notebook: Notebook, herd: "Herd", tmp_path: Path
) -> None:
    entry = herd.entry(*herd.sleepers())
    notebook.add([entry])
    folder = host.state / "resources/process/any+1"
    folder.mkdir(parents=True)
    other = Notebook(folder / "paused.json", host, "process any")
    other.add([entry])
    assert [found.path for found in notebooks(host)] == [notebook.path, other.path]
