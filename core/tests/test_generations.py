"""Graph files that were taken over, kept to go back to."""

import os
import stat
from pathlib import Path

import pytest

from setpoint import generations as module
from setpoint.errors import SetpointError
from setpoint.generations import Generation, Generations
from setpoint.host import Host


@pytest.fixture
def host(tmp_path: Path):
    (tmp_path / "state").mkdir(0o700)
    made = Host(state=tmp_path / "state")
    yield made
    made.close()


def made(text: str, by: str = "a.yaml was saved", scope: str = "/a.yaml") -> Generation:
    return Generation(
        number=0, at=1.0, by=by, scope=scope, given=(scope,), files={scope: text}, resources=1
    )


def test_a_generation_is_read_as_it_was_kept(host):
    kept = Generations(host).keep(made("one"))
    assert kept.number == 1
    assert Generations(host).read(1) == kept


def test_nobody_else_may_read_generations(host):
    found = Generations(host)
    found.keep(made("password: x"))
    assert stat.S_IMODE(os.stat(found.directory).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(f"{found.directory}/1.json").st_mode) == 0o600


def test_the_same_files_again_are_the_same_generation(host):
    found = Generations(host)
    first = found.keep(made("one"))
    assert found.keep(made("one", by="start")) == first
    assert found.numbers() == [1]


def test_files_of_an_older_generation_are_a_rollback_to_it(host):
    found = Generations(host)
    for text in ("one", "two"):
        found.keep(made(text))
    assert found.keep(made("one")).by == "rolled back to 1"
    assert found.keep(made("two", by="start")).by == "start"


def test_of_several_with_the_same_files_the_rollback_is_to_the_one_that_was_asked_for(host):
    found = Generations(host)
    for text in ("one", "two", "one", "two"):
        found.keep(made(text))
    found.ask_for(1)
    assert found.keep(made("one")).by == "rolled back to 1"
    found.keep(made("three"))
    assert found.keep(made("one")).by == "rolled back to 5", "it was asked for once"


def test_what_was_asked_for_and_did_not_come_is_forgotten(host):
    found = Generations(host)
    for text in ("one", "two", "one"):
        found.keep(made(text))
    found.ask_for(1)
    found.keep(made("three"))
    assert found.keep(made("one")).by == "rolled back to 3"


def test_what_comes_before_is_of_the_same_graph(host):
    found = Generations(host)
    first = found.keep(made("one"))
    found.keep(made("one", scope="/b.yaml"))
    second = found.keep(made("two"))
    assert found.before(second) == first
    assert found.before(first) is None


def test_only_the_last_ones_are_kept(host):
    found = Generations(host)
    for number in range(module.KEPT + 3):
        found.keep(made(str(number)))
    assert found.numbers() == list(range(4, module.KEPT + 4))


def test_large_ones_push_older_ones_out_but_the_newest_stays(host, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    found = Generations(host)
    for number in range(5):
        found.keep(made(str(number) * 300))
    assert found.numbers() == [4, 5]
    found.keep(made("x" * 2000))
    assert found.numbers() == [6]


def test_numbers_go_on_after_the_oldest_ones_went(host, monkeypatch):
    monkeypatch.setattr(module, "KEPT", 1)
    found = Generations(host)
    numbers = [found.keep(made(text)).number for text in "abc"]
    assert numbers == [1, 2, 3]
    assert found.numbers() == [3]


def test_a_path_that_is_not_utf_8_is_kept(host):
    path = os.fsdecode(b"/caf\xe9.yaml")
    kept = Generations(host).keep(made("one", scope=path))
    assert list(Generations(host).read(1).files) == [path]
    assert kept.scope == path


def test_a_generation_that_is_not_there_is_told_with_those_that_are(host):
    found = Generations(host)
    with pytest.raises(SetpointError, match="no generation is kept there; run a graph first"):
        found.read(1)
    for text in "abc":
        found.keep(made(text))
    with pytest.raises(SetpointError, match="there is no generation 7; known: 1 to 3"):
        found.read(7)


def test_a_damaged_generation_is_named(host):
    found = Generations(host)
    found.keep(made("one"))
    Path(found.directory, "1.json").write_text('{"number": 1')
    with pytest.raises(SetpointError, match=r"generations/1.json: is damaged, .*; remove it"):
        found.read(1)


def test_what_was_left_half_written_is_no_generation(host):
    found = Generations(host)
    found.keep(made("one"))
    Path(found.directory, ".setpoint-1-1-0~").write_text("{")
    assert found.numbers() == [1]
