"""The tree shows the architecture: names, versions and the direction of imports."""

import ast
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE = ROOT / "core/src/setpoint"
PLUGINS = sorted(
    path for path in (ROOT / "plugins").iterdir() if (path / "pyproject.toml").exists()
)
MEMBERS = [ROOT / "core", *PLUGINS]

# Each imports only from those before it. A module is named by its file or its package.
ORDER = (
    "lazily errors oserrors values hiding clock expressions openat2 paths temporaries replacing hookspecs watching"
    " relations resource together files editing processes dbus world host accounts journal generations asking ids graph"
    " autoedges plugins following declarations secrets sharing selection reversals graphfile knowing"
    " engine comparing plan program kinds cli testing"
).split()
ENGINE = (
    "states events timers threads brakes redaction vertices runners standing scheduler exchange"
    " causes tracing lasting ledger parts modes outcomes quick batches workers general host watches swapping leaving"
    " watchdog result run engine"
).split()


def project(member: Path) -> dict:
    return tomllib.loads((member / "pyproject.toml").read_text())


def sources(member: Path) -> list[Path]:
    files = member.rglob("*.py")
    return [path for path in files if "tests" not in path.relative_to(member).parts]


def imports(path: Path, *, all_of_them: bool = True) -> set[str]:
    """The modules that `path` imports, leaving out those that only a type checker sees."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            node.body = [ast.Pass()]
    nodes = ast.walk(tree) if all_of_them else tree.body
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_has_one_name_everywhere(plugin):
    name = plugin.name
    described = project(plugin)["project"]
    assert described["name"] == f"setpoint-{name}"
    module = f"setpoint_{name}"
    assert (plugin / f"{module}.py").exists() or (plugin / "src" / module / "__init__.py").exists()
    for kind, target in described["entry-points"].get("setpoint.kinds", {}).items():
        assert kind.partition(":")[0] == name
        assert target.partition(":")[0].partition(".")[0] == module


def test_all_versions_agree():
    import setpoint

    versions = {project(member)["project"]["version"] for member in MEMBERS}
    assert versions == {setpoint.__version__}
    for plugin in PLUGINS:
        assert f"setpoint=={setpoint.__version__}" in project(plugin)["project"]["dependencies"]
    assert f"## {setpoint.__version__}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("member", MEMBERS, ids=lambda path: path.name)
def test_a_distribution_is_described_whole(member):
    described = project(member)["project"]
    assert described["license"] == "Apache-2.0"
    assert described["requires-python"] == ">=3.11"
    assert len(described["description"]) < 100
    assert len((member / "README.md").read_text()) > 200


@pytest.mark.parametrize("member", MEMBERS, ids=lambda path: path.name)
def test_an_entry_point_leads_to_a_module_that_is_there(member):
    described = project(member)["project"]
    for group in (described.get("scripts", {}), *described.get("entry-points", {}).values()):
        for target in group.values():
            module = target.partition(":")[0].replace(".", "/")
            places = [
                f"{base}{module}{end}" for base in ("", "src/") for end in (".py", "/__init__.py")
            ]
            assert any((member / place).is_file() for place in places), target


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_imports_no_other_and_nothing_private(plugin):
    own = f"setpoint_{plugin.name}"
    for path in sources(plugin):
        for name in imports(path):
            assert not name.startswith("setpoint_") or name.split(".")[0] == own, f"{path}: {name}"
            assert not name.startswith("setpoint.engine"), f"{path}: {name}"
            assert not re.match(r"setpoint\.\w+\._", name), f"{path}: {name}"


def test_core_knows_no_kind():
    for path in sources(ROOT / "core"):
        assert not [name for name in imports(path) if name.startswith("setpoint_")], path


def layer(path: Path, base: Path) -> str:
    return path.relative_to(base).parts[0].removesuffix(".py")


@pytest.mark.parametrize(
    ("base", "package", "order"),
    [(CORE, "setpoint", ORDER), (CORE / "engine", "setpoint.engine", ENGINE)],
)
def test_imports_go_one_way(base, package, order):
    for path in sorted(base.rglob("*.py")):
        own = layer(path, base)
        if own == "__init__":
            continue
        assert own in order, f"{path} is not in the list of modules"
        for name in imports(path, all_of_them=False):
            other = name.removeprefix(package + ".").partition(".")[0]
            if name.startswith(package + ".") and other in order:
                assert order.index(other) <= order.index(own), f"{path} imports {name}"


FORBIDDEN = re.compile(
    r"/work/|\.\./shared|\bissue \d|\bsession \d|farm-(bench|studio)|/root/\.(pyenv|cache|local)",
    re.IGNORECASE,
)


def written() -> Iterator[Path]:
    """The files of the repository, without what is made from them."""
    for directory, below, names in os.walk(ROOT):
        made = {"__pycache__", "build", "dist", "uv.lock"}
        below[:] = [name for name in below if name not in made and name[0] != "."]
        yield from (Path(directory, name) for name in names if name not in made)


def test_the_repository_speaks_of_the_project_alone():
    for path in written():
        if path != Path(__file__):
            found = FORBIDDEN.search(path.read_text(errors="replace"))
            assert not found, f"{path}: {found and found.group()}"
