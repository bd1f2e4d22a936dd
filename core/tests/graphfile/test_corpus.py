"""Files that are wrong, each with its exact messages and places, and files that are good."""

from pathlib import Path

import pytest

from setpoint import graphfile
from setpoint.errors import GraphError
from setpoint.plugins import Plugins

CORPUS = Path(__file__).parents[1] / "corpus"
WRONG = sorted(path.stem for path in (CORPUS / "wrong").glob("*.yaml"))
GOOD = sorted(path.stem for path in (CORPUS / "good").glob("*.yaml"))


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_gets_exactly_its_messages(
    name: str, plugins: Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(CORPUS / "wrong")
    with pytest.raises(GraphError) as caught:
        graphfile.load([Path(f"{name}.yaml")], plugins)
    assert f"{caught.value}\n" == Path(f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", GOOD)
def test_a_good_file_is_read(name: str, plugins: Plugins) -> None:
    path = CORPUS / "good" / f"{name}.yaml"
    assert graphfile.load([path], plugins).resources


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(WRONG) >= 200


def test_each_message_is_in_the_house_style() -> None:
    for name in WRONG:
        for line in (CORPUS / "wrong" / f"{name}.txt").read_text(encoding="utf-8").splitlines():
            if line.startswith(" "):
                continue
            where, _, message = line.partition(": ")
            assert where.startswith((f"{name}.yaml", "modules/"))
            assert not message.endswith((".", "; ")), line
            assert "None" not in message, line
