"""What a start loads: only what is used, so that the first check comes soon."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = set(
    "asyncio msgspec pluggy yaml ctypes sqlite3 dataclasses importlib.metadata subprocess pathlib"
    " setpoint.engine setpoint.graphfile setpoint.resource setpoint.journal".split()
)
UNUSED_BY_APPLY = set(  # _ssl, because ssl itself may be there without having been loaded
    "_ssl pathlib shutil difflib tempfile dataclasses importlib.metadata importlib.resources"
    " urllib.parse pdb doctest unittest http.client email click.testing click.shell_completion"
    " setpoint.graphfile.mgmt setpoint.journal.sent setpoint.processes setpoint.plan setpoint.cli.plan"
    " setpoint.cli.run setpoint.cli.drawing".split()
)
PLUGINS = "setpoint_"
RUN = """
import atexit, sys
before = set(sys.modules)
log = sys.argv.pop(1)
atexit.register(lambda: open(log, "w").write("\\n".join(set(sys.modules) - before)))
from setpoint.cli import main
main()
"""
SSL = """
import gc, threading
gc.disable()
from setpoint.cli.later import load_later
load_later()
import asyncio, sys
assert "_ssl" not in sys.modules
found, start = [], threading.Barrier(4)
def use():
    import ssl
    start.wait()
    found.append(ssl.create_default_context())
threads = [threading.Thread(target=use) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
import ssl
from ssl import SSLContext
assert len(found) == 4 and all(type(context) is SSLContext for context in found)
assert asyncio.sslproto.SSLProtocol and type(ssl) is type(sys) is type(asyncio.sslproto)
assert not hasattr(ssl, "nothing") and ssl.__loader__ is ssl.__spec__.loader
"""


@pytest.fixture
def loaded(tmp_path: Path) -> "Loaded":
    """Run the command; say which modules it loaded."""
    return Loaded(tmp_path)


class Loaded:
    """Runs the command in `where`."""

    def __init__(self, where: Path) -> None:
        self.where = where

    def __call__(self, *args: str, **environment: str) -> set[str]:
        """Return what the command with `args` loaded."""
        log = self.where / "loaded"
        subprocess.run(
            [sys.executable, "-c", RUN, log, *args],
            env={**os.environ, "XDG_CACHE_HOME": str(self.where), **environment},
            check=True,
            capture_output=True,
        )
        return set(log.read_text().split())


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_what_says_something_of_itself_loads_nothing_heavy(loaded: Loaded, option: str) -> None:
    assert not heavy(loaded(option))


def test_completion_of_a_command_loads_nothing_heavy(loaded: Loaded) -> None:
    asked = {"COMP_WORDS": "setpoint ap", "COMP_CWORD": "1"}
    assert not heavy(loaded(_SETPOINT_COMPLETE="bash_complete", **asked))


def test_the_script_of_a_completion_loads_nothing_heavy(loaded: Loaded) -> None:
    assert not heavy(loaded("completion", "zsh"))


def test_a_run_loads_only_what_it_uses(loaded: Loaded, tmp_path: Path) -> None:
    graph = tmp_path / "graph.yaml"
    graph.write_text("resources:\n  noop one:\n")
    found = loaded("apply", "--prefix", str(tmp_path / "state"), str(graph))
    assert "setpoint.engine" in found
    assert not found & UNUSED_BY_APPLY
    assert {name for name in found if name.startswith(PLUGINS)} == {"setpoint_noop"}


def test_a_module_that_loads_later_is_as_ever_to_all_threads() -> None:
    subprocess.run([sys.executable, "-c", SSL], check=True)


def heavy(found: set[str]) -> set[str]:
    """Return what of `found` is heavy, or of a plugin."""
    assert "setpoint.cli.group" in found
    return found & HEAVY | {name for name in found if name.startswith(PLUGINS)}
