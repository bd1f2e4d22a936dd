from pathlib import Path

from setpoint import Resource
from setpoint.host import Host


class Thing(Resource):
    kind = "thing"


def test_a_state_directory_given_as_a_relative_path_is_absolute_for_resources(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    directory = Host(state=Path("state")).state_directory(Thing("one"))
    assert directory.is_absolute()
    assert directory.is_relative_to(tmp_path / "state")
