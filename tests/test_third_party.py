"""A plugin that somebody else wrote: built, installed next to our wheels, used, and uninstalled.

The environment is an empty one without a network: our distributions and theirs are built from
source, and the libraries they need are packed up again from the environment that the tests run in.
"""

import importlib.metadata
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import uv

ROOT = Path(__file__).parents[1]
OURS = ("core", "plugins/file", "plugins/noop")
VERSION = importlib.metadata.version("setpoint")
LIBRARIES = ("click", "google-re2", "msgspec", "pluggy", "pyyaml")
TESTING = ("iniconfig", "packaging", "pygments", "pytest", "pytest-asyncio", "typing-extensions")


class Environment:
    """An empty virtual environment, and the wheels that can be installed in it."""

    def __init__(self, folder: Path, wheels: Path) -> None:
        self.python = folder / "bin" / "python"
        self._wheels = wheels
        self._run(uv.find_uv_bin(), "venv", "--python", sys.executable, str(folder))

    def install(self, *names: str) -> None:
        """Install distributions with all they depend on."""
        self._uv("install", "--no-index", "--find-links", str(self._wheels), *names)

    def uninstall(self, *names: str) -> None:
        """Uninstall distributions."""
        self._uv("uninstall", *names)

    def run(self, program: str, *arguments: object, **variables: object) -> Any:
        """Return what `program` prints last, read as JSON."""
        command = (str(self.python), "-I", "-c", program, *map(str, arguments))
        return json.loads(self._run(*command, **variables).splitlines()[-1])

    def setpoint(self, *arguments: object, **variables: object) -> tuple[int, str, str]:
        """Run the command that is installed there; return its exit code, output and errors."""
        program = self.python.with_name("setpoint")
        ran = self._started(str(program), *map(str, arguments), **variables)
        return ran.returncode, ran.stdout, ran.stderr

    def test(self, folder: Path) -> str:
        """Return what pytest says of the tests in `folder`."""
        tests = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", folder, folder)
        return self._started(str(self.python), *map(str, tests)).stdout

    def _uv(self, command: str, *arguments: str) -> None:
        self._run(uv.find_uv_bin(), "pip", command, "--python", str(self.python), *arguments)

    def _run(self, *command: str, **variables: object) -> str:
        ran = self._started(*command, **variables)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def _started(self, *command: str, **variables: object) -> "subprocess.CompletedProcess[str]":
        clean = {"PATH": os.defpath, "HOME": str(self._wheels), "UV_NO_CONFIG": "1"}
        offline = {"UV_OFFLINE": "1", "UV_CACHE_DIR": str(self._wheels / "cache")}
        given = {name: str(value) for name, value in variables.items()}
        return subprocess.run(
            command,
            cwd=self._wheels,
            env={**clean, **offline, **given},
            capture_output=True,
            text=True,
            check=False,
        )


def build(source: Path, wheels: Path) -> None:
    """Build the wheel of the distribution whose source is in `source`."""
    program = "import sys; from flit_core.buildapi import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", program, str(wheels)], cwd=source, check=True)


def pack(name: str, wheels: Path) -> None:
    """Pack the installed distribution `name` up as the wheel it was installed from."""
    distribution = importlib.metadata.distribution(name)
    tag = next(
        line.removeprefix("Tag: ")
        for line in str(distribution.read_text("WHEEL")).splitlines()
        if line.startswith("Tag: ")
    )
    files = [file for file in distribution.files or () if file.parts[0] != ".."]
    stem = f"{name.replace('-', '_')}-{distribution.version}"
    with zipfile.ZipFile(wheels / f"{stem}-{tag}.whl", "w") as wheel:
        for file in files:
            if file.suffix != ".pyc" and file.name != "RECORD":
                wheel.write(str(file.locate()), str(file))
        record = next(file for file in files if file.name == "RECORD")
        names = [f"{written},,\n" for written in (*wheel.namelist(), record)]
        wheel.writestr(str(record), "".join(names))


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    for source in OURS:
        build(ROOT / source, folder)
    build(Path(__file__).parent / "third_party" / "acme", folder)
    for name in (*LIBRARIES, *TESTING):
        pack(name, folder)
    return folder


@pytest.fixture
def environment(tmp_path: Path, wheels: Path) -> Environment:
    made = Environment(tmp_path / "venv", wheels)
    made.install("setpoint", "setpoint-file", "setpoint-noop")
    return made


LIST = """
import json, sys
from pathlib import Path
from setpoint.plugins import Plugins

plugins = Plugins(cache=Path(sys.argv[1]))
print(json.dumps({
    "kinds": {name: point.origin for name, point in plugins.kinds().items()},
    "imported": sorted({"acme", "setpoint_file"} & set(sys.modules)),
}))
"""

CHECK = """
import asyncio, json, sys
from setpoint.plugins import Plugins

plugins = Plugins()
kind = plugins.kind(sys.argv[1])
resource = kind(sys.argv[2], **json.loads(sys.argv[3]))
changes = asyncio.run(plugins.bind(resource, "check_apply")(apply=True))
print(json.dumps({
    "changes": [str(change) for change in changes],
    "blame": plugins.blame(kind),
    "wrapped": plugins.wraps("check_apply"),
    "problems": [str(problem) for problem in plugins.problems],
}))
"""

ASK = """
import json
from setpoint.plugins import Plugins, UnknownKindError

plugins = Plugins()
try:
    plugins.kind("acme")
except UnknownKindError as error:
    print(json.dumps({"message": str(error), "wrapped": plugins.wraps("check_apply")}))
"""


def check(
    environment: Environment, audit: Path, kind: str, name: Path, **params: object
) -> Mapping[str, Any]:
    """Check and repair one resource in `environment`, with the wrappers that are installed there."""
    found: Mapping[str, Any] = environment.run(
        CHECK, kind, name, json.dumps(params), ACME_AUDIT=audit
    )
    return found


def test_a_plugin_of_somebody_else_is_found_run_and_gone_again(
    environment: Environment, tmp_path: Path
) -> None:
    cache, audit, path = tmp_path / "cache" / "plugins", tmp_path / "audit", tmp_path / "greeting"
    ours = {kind: f"setpoint-{kind} {VERSION}" for kind in ("file", "noop")}
    assert environment.run(LIST, cache) == {"kinds": ours, "imported": []}

    environment.install("acme")
    theirs = {"acme": "acme 1.2.3"}
    assert environment.run(LIST, cache) == {"kinds": {**ours, **theirs}, "imported": []}
    first = check(environment, audit, "acme", path, line="hello")
    assert first == {
        "changes": ["line: None -> 'hello'"],
        "blame": "acme 1.2.3 (acme/__init__.py:11)",
        "wrapped": True,
        "problems": [],
    }
    assert path.read_text() == "hello\n"
    second = check(environment, audit, "acme", path, line="hello")
    assert second["changes"] == []
    check(environment, audit, "noop", tmp_path)
    assert audit.read_text().splitlines() == [
        f"acme {path} apply=True changes=1",
        f"acme {path} apply=True changes=0",
        f"noop {tmp_path} apply=True changes=0",
    ]

    environment.uninstall("acme")
    assert environment.run(LIST, cache) == {"kinds": ours, "imported": []}
    assert environment.run(ASK) == {
        "message": "no installed plugin has a kind 'acme'; known: file, noop",
        "wrapped": False,
    }
    assert check(environment, audit, "noop", tmp_path)["wrapped"] is False
    assert len(audit.read_text().splitlines()) == 3


GRAPH = """\
resources:
  acme {greeting}:
    line: hello
    notify: noop told
  file {copy}:
    content: it has ${{{{ send["acme {greeting}"].length }}}}
  noop told:
"""


def test_the_command_runs_what_somebody_else_wrote_until_it_is_uninstalled(
    environment: Environment, tmp_path: Path
) -> None:
    graph, audit = tmp_path / "graph.yaml", tmp_path / "audit"
    greeting, copy = tmp_path / "greeting", tmp_path / "copy"
    graph.write_text(GRAPH.format(greeting=greeting, copy=copy))
    where = {"ACME_AUDIT": audit, "CACHE_DIRECTORY": tmp_path / "cache"}
    apply = ("apply", graph, "--prefix", tmp_path / "state")

    environment.install("acme")
    assert "acme  acme 1.2.3\n" in environment.setpoint("kinds", **where)[1]
    assert environment.setpoint("doc", "acme", **where)[0] == 0
    code, out, err = environment.setpoint(*apply, **where)
    assert (code, err) == (0, "")
    assert out.startswith(f"acme {greeting}: line hello\n")
    assert f"noop told: refreshed because of acme {greeting}\n" in out
    assert (greeting.read_text(), copy.read_text()) == ("hello\n", "it has 5")
    seen = audit.read_text().splitlines()
    assert set(seen) == {
        f"acme {greeting} apply=True changes=1",
        f"file {copy} apply=True changes=2",
        "noop told apply=True changes=0",
    }

    environment.uninstall("acme")
    assert "acme" not in environment.setpoint("kinds", **where)[1]
    code, out, err = environment.setpoint(*apply, **where)
    assert (code, out) == (1, "")
    rule = "no installed plugin has a kind 'acme'; known: file, noop"
    assert err.startswith(f"{graph}:2:3: {rule}\n")
    assert audit.read_text().splitlines() == seen


SUITE = """
import os
from pathlib import Path

import pytest
from acme import Acme
from setpoint.testing import ResourceSuite


class TestAcme(ResourceSuite):
    watches = False

    @pytest.fixture
    def resource(self, host, tmp_path):
        return Acme(str(tmp_path / "greeting"), line="hello", _host=host)

    async def disturb(self, resource):
        os.unlink(resource.name)
"""


def test_somebody_else_has_the_suite_with_one_install_and_finds_a_mistake_with_it(
    environment: Environment, tmp_path: Path
) -> None:
    environment.install("setpoint[testing]", "acme")
    (tmp_path / "test_acme.py").write_text(SUITE)
    said = environment.test(tmp_path)
    assert "14 passed" in said
    sloppy = SUITE.replace("os.unlink(resource.name)", "pass")
    (tmp_path / "test_acme.py").write_text(sloppy.replace("watches = False", "checks = False"))
    assert "checks = False` says it would not" in environment.test(tmp_path)


def test_a_wheel_brings_what_it_needs_and_no_tests(wheels: Path) -> None:
    for wheel in wheels.glob("setpoint*.whl"):
        with zipfile.ZipFile(wheel) as opened:
            names = opened.namelist()
        assert not [name for name in names if "test_" in name], wheel.name
        assert [name for name in names if name.endswith("/METADATA")], wheel.name
