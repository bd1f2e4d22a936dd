"""Stubs of kinds: what a type checker is told of each param, and the classes that stand for kinds."""

import ast
import inspect
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from setpoint.cli import stubs
from setpoint.plugins import Plugins
from setpoint.program.declared import class_name, class_of
from setpoint.program.stubs import stub

from .conftest import Needy, Still

THING = """
from setpoint import Resource

class Thing(Resource):
    '''A thing.'''
    kind = "acme:thing"

    def check(self) -> list:
        return []
"""


@pytest.fixture(scope="module")
def classes() -> dict[str, ast.ClassDef]:
    """Return what is in the stub of the kinds of these tests, by name."""
    tree = ast.parse(stub({"still": Still, "family:needy": Needy}))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def arguments(found: ast.ClassDef) -> dict[str, str]:
    """Return the arguments by name of a class, with their types."""
    made = next(n for n in found.body if isinstance(n, ast.FunctionDef) and n.name == "__init__")
    return {arg.arg: ast.unparse(arg.annotation) for arg in made.args.kwonlyargs if arg.annotation}


@pytest.mark.parametrize(
    ("param", "type_"),
    [
        ("text", "Given[str] | None"),
        ("number", "Given[int]"),
        ("size", "Given[float]"),
        ("state", "Given[Literal['', 'here', 'gone']]"),
        ("items", "Given[Sequence[Given[str]]]"),
        ("pairs", "Given[Mapping[str, Given[str]]]"),
        ("data", "Given[str | bytes]"),
        ("secret", "Hidden[str] | None"),
        ("require", "References"),
        ("notify", "Listeners"),
        ("meta", "MetaParams"),
    ],
)
def test_each_param_takes_its_type_or_an_expression_of_it(param, type_, classes):
    assert arguments(classes["Still"])[param] == type_


def test_what_must_be_given_has_no_default(classes):
    made = next(n for n in classes["FamilyNeedy"].body if isinstance(n, ast.FunctionDef))
    given = zip(made.args.kwonlyargs, made.args.kw_defaults, strict=True)
    assert [arg.arg for arg, default in given if default is None] == ["must"]


def test_what_is_sent_has_its_type(classes):
    sends = next(n for n in classes["Still"].body if isinstance(n, ast.ClassDef))
    sent = {
        n.name: ast.unparse(n.returns)
        for n in sends.body
        if isinstance(n, ast.FunctionDef) and n.returns
    }
    assert sent == {
        "text": "Expression[str]",
        "number": "Expression[int]",
        "hidden": "Expression[Secret[str]]",
    }  # fmt: skip


def test_a_class_says_of_itself_what_its_kind_says(classes):
    assert ast.get_docstring(classes["FamilyNeedy"]) == inspect.getdoc(Needy)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("file", "File"), ("http:server", "HttpServer"), ("ssh:authorized_key", "SshAuthorizedKey"), ("a-b", "AB")],
)  # fmt: skip
def test_a_class_has_the_name_of_its_kind(kind, name):
    assert class_name(kind) == class_of(kind).__name__ == name
    assert class_of(kind).kind == kind


def test_stubs_are_written_for_what_is_installed_and_the_rest_is_named(tmp_path, monkeypatch):
    described = tmp_path / "acme-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text(
        "[setpoint.kinds]\nacme:thing = acme_of_test:Thing\nbroken = acme_missing:Broken\n"
    )
    (tmp_path / "acme_of_test.py").write_text(THING)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = Plugins(path=[str(tmp_path)])
    monkeypatch.setattr(stubs, "installed", lambda: found)
    monkeypatch.chdir(tmp_path)
    ran = CliRunner().invoke(stubs.command, ["--out", "types"])
    monkeypatch.delitem(sys.modules, "acme_of_test")
    assert ran.exit_code == 0, ran.output
    assert "warning: plugin acme 1.0: kind broken" in ran.stderr
    written = Path("types/setpoint/kinds.pyi").read_text()
    assert "class AcmeThing(Declared):" in written
    assert "Broken" not in written
    assert "__getattr__ =" in Path("types/setpoint/__init__.pyi").read_text()
