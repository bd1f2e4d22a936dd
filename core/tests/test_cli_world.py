"""`setpoint world` shows what is shared, and forgets what nobody declares any more."""

import asyncio
import json
import os

import pytest
from click.testing import CliRunner, Result

from setpoint.cli.group import setpoint
from setpoint.host import Host
from setpoint.sharing import Shared, bring_in_line

KEY = "shared/one/publish/backend"


@pytest.fixture
def shared(tmp_path):
    async def share() -> None:
        await bring_in_line(host, "web", Shared({"backend": {"addr": "10.0.0.1"}}))
        await host.world.set("motd", "two\nlines \x1b[0m")

    host = Host(state=tmp_path, name="one")
    asyncio.run(share())
    host.close()
    return tmp_path


def world(prefix, *args: str) -> Result:
    return CliRunner().invoke(setpoint, ["world", *args, "--prefix", str(prefix)])


def test_all_keys_are_listed_a_line_each(shared):
    assert world(shared).output.splitlines() == [
        r'motd  "two\nlines \u001b[0m"',
        f'{KEY}  {{"owner":"web","value":{{"addr":"10.0.0.1"}}}}',
    ]
    assert world(shared, "list", "shared/").output.splitlines()[0].startswith(KEY)
    found = json.loads(world(shared, "list", "motd", "--json").output)
    assert found == [{"key": "motd", "value": "two\nlines \x1b[0m", "revision": 2}]


def test_a_value_is_printed_alone(shared):
    assert world(shared, "get", "motd").output == "two\nlines \x1b[0m\n"
    assert json.loads(world(shared, "get", KEY, "--json").output)["revision"] == 1


def test_what_is_forgotten_is_gone(shared):
    assert world(shared, "forget", KEY).exit_code == 0
    assert world(shared, "list", "shared/").output == ""
    ended = world(shared, "forget", KEY)
    assert str(ended.exception) == f"there is no key {KEY!r}; see `setpoint world list`"


def test_nothing_is_shared_before_somebody_does(tmp_path):
    assert world(tmp_path / "none").output == ""
    assert not os.path.exists(tmp_path / "none")


def test_a_key_is_needed_and_a_damaged_world_is_told(shared):
    assert "get needs a KEY; see" in world(shared, "get").output
    (shared / "world.db").write_bytes(b"x" * 5000)
    assert "world.db: file is not a database" in str(world(shared).exception)
