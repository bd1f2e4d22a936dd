"""What the documentation says is so: graphs are checked, programs run, links lead somewhere."""

import asyncio
import importlib.util
import inspect
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from setpoint import graphfile, hookspecs
from setpoint.declarations.docstrings import described
from setpoint.errors import GraphError
from setpoint.graph import Graph
from setpoint.plugins import Plugins
from setpoint.resource import Meta, params

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GUIDE = DOCS / "how-to/write-a-plugin.md"
TESTING = DOCS / "how-to/test-a-plugin.md"
PAGES = sorted(
    [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), ROOT / "core/README.md", *ROOT.glob("plugins/*/README.md")]
)  # fmt: skip
PLACE = re.compile(r"/tmp/setpoint-\w+")
FENCE = re.compile(r"^```(\w*) *([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^]\n]*(?:\n[^]\n]*)?\]\(([^)\s]+)\)")
KINDS = sorted(kind for kind in Plugins().kinds() if (ROOT / "plugins" / kind).is_dir())


class Block(NamedTuple):
    """One fenced block: its language, what stands behind that, and its text."""

    page: Path
    language: str
    mark: str
    text: str
    following: str  # the text of the block after it

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}-{self.text.splitlines()[0] if self.text else ''}"


def blocks(page: Path) -> list[Block]:
    found = FENCE.findall(page.read_text())
    texts = [text for _, _, text in found[1:]] + [""]
    return [Block(page, *block, text) for block, text in zip(found, texts, strict=False)]


def all_blocks(language: str, mark: str) -> list[Block]:
    found = [block for page in PAGES for block in blocks(page)]
    return [block for block in found if (block.language, block.mark) == (language, mark)]


def anchors(page: Path) -> Iterator[str]:
    """The names that GitHub and others give to the headings of a page."""
    outside = FENCE.sub("", page.read_text())
    for heading in re.findall(r"^#+ (.*)$", outside, re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def load(path: Path, text: str) -> Graph:
    path.write_text(text)
    return graphfile.load([path], Plugins())


@pytest.mark.parametrize("block", all_blocks("yaml", ""), ids=str)
def test_a_graph_can_be_run(block, tmp_path):
    load(tmp_path / "site.yaml", block.text)


def test_a_module_in_the_docs_is_included_as_they_say(tmp_path):
    [module], [including] = all_blocks("yaml", "module"), all_blocks("yaml", "including")
    (tmp_path / "vhost.yaml").write_text(module.text)
    (tmp_path / "base.yaml").write_text("resources:\n")
    found = load(tmp_path / "site.yaml", including.text)
    assert set(found.modules) == {"base", "busy", "site-blog", "site-shop"}


@pytest.mark.parametrize("block", all_blocks("yaml", "wrong"), ids=str)
def test_a_wrong_graph_is_answered_as_shown(block, tmp_path):
    with pytest.raises(GraphError) as error:
        load(tmp_path / "site.yaml", block.text)
    assert str(error.value).replace(f"{tmp_path}/", "") == block.following.rstrip("\n")


@pytest.mark.parametrize("block", all_blocks("python", "run"), ids=str)
def test_a_program_runs(block, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PLACE.sub(str(tmp_path / "demo"), block.text))
    ran = run(tmp_path, "program.py")
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in LINK.findall(FENCE.sub("", page.read_text())):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


@pytest.mark.parametrize("kind", KINDS)
def test_the_docstring_of_a_kind_has_its_params_and_nothing_else(kind):
    found = Plugins().kind(kind)
    _, entries = described(inspect.getdoc(found) or "")
    assert entries.pop("name")
    assert bool(entries.pop("Sends", "")) == (found.Sends is not None)
    assert list(entries) == list(params(found))


@pytest.mark.parametrize("kind", KINDS)
def test_the_readme_of_a_plugin_has_an_example_and_leads_to_its_params(kind):
    text = (ROOT / "plugins" / kind / "README.md").read_text()
    assert len(text) > 200
    assert f"\n  {kind} " in "".join(block[2] for block in FENCE.findall(text))
    named = [param for param in params(Plugins().kind(kind)) if f"`{param}`" in text]
    assert named == list(params(Plugins().kind(kind))) or f"setpoint doc {kind}" in text


def test_meta_params_are_documented():
    _, entries = described(inspect.getdoc(Meta) or "")
    assert list(entries) == list(Meta.__struct_fields__)


def test_each_hook_has_a_heading_in_the_guide():
    headings = list(anchors(GUIDE))
    assert [verb for verb in hookspecs.VERBS if verb not in headings] == []


def test_the_pages_that_are_made_are_up_to_date():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    for name, text in generate.pages().items():
        assert (DOCS / "reference" / name).read_text() == text, "run docs/generate.py"


def test_every_page_of_the_documentation_is_in_its_index():
    index = (DOCS / "README.md").read_text() + (DOCS / "decisions/README.md").read_text()
    for page in DOCS.rglob("*.md"):
        if page != DOCS / "README.md":
            assert page.name in index, page


def test_a_decision_is_short_and_has_its_three_parts():
    for page in DOCS.glob("decisions/0*.md"):
        text = page.read_text()
        assert text.count("\n") <= 25
        assert re.findall(r"\*\*(\w+)\.\*\*", text) == ["Context", "Decision", "Consequences"]


async def test_the_readme_shows_what_happens(tmp_path):
    graph, shown = [block.text for block in blocks(ROOT / "README.md")][:2]
    place = str(tmp_path / "demo")
    (tmp_path / "site.yaml").write_text(PLACE.sub(place, graph))
    setpoint = Path(sys.executable).with_name("setpoint")
    ran = await asyncio.create_subprocess_exec(
        *(setpoint, "run", tmp_path / "site.yaml", "--prefix", tmp_path / "state"),
        env={"PATH": "/usr/bin:/bin", "CACHE_DIRECTORY": str(tmp_path / "cache")},
        stdout=-1,
    )
    wanted = PLACE.sub(place, shown).splitlines()[1:]
    try:
        assert [(await ran.stdout.readline()).decode().rstrip("\n") for _ in wanted] == wanted
    finally:
        ran.terminate()
        await ran.communicate()


def session(console: str) -> list[tuple[str, str]]:
    """The commands in a console block, each with what it prints."""
    return [tuple(part.split("\n", 1)) for part in re.split(r"^\$ ", console, flags=re.M)[1:]]


@pytest.mark.parametrize(
    ("page", "graph", "name"),
    [("tutorial.md", 1, "first.yaml"), ("how-to/migrate-from-mgmt.md", 0, "graph0.yaml")],
)
def test_check_and_plan_say_what_is_shown(page, graph, name, tmp_path):
    (tmp_path / "demo").mkdir()
    place = str(tmp_path / "demo")
    found = [block.text for block in blocks(DOCS / page)]
    (tmp_path / name).write_text(PLACE.sub(place, found[graph]))
    for command, output in session(found[graph + 1]):
        main = "from setpoint.cli import main; main()"
        ran = run(tmp_path, "-c", main, *command.split()[1:])
        assert ran.stderr + ran.stdout == PLACE.sub(place, output)


def test_a_graph_of_mgmt_is_converted_as_shown():
    old, _, _, new = [block.text for block in blocks(DOCS / "how-to/migrate-from-mgmt.md")][:4]
    assert graphfile.convert(old, "graph0.yaml") == new


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in `folder`, from which it can import, and where all that it keeps goes."""
    kept = {"HOME": folder, "CACHE_DIRECTORY": folder / "cache", "PYTHONPATH": folder}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", **{name: str(path) for name, path in kept.items()}},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def guide(tmp_path: Path) -> Path:
    """A folder with the files of the guides to plugins."""
    for block in [*blocks(GUIDE), *blocks(TESTING)]:
        if block.mark.startswith("file="):
            text = PLACE.sub(str(tmp_path / "demo"), block.text)
            (tmp_path / block.mark.removeprefix("file=")).write_text(text)
    return tmp_path


def test_the_tests_of_the_plugin_in_the_guide_pass(guide):
    argv = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "test_entry.py")
    ran = run(guide, *argv)
    assert ran.returncode == 0, ran.stdout
    assert "4 passed" in ran.stdout


def test_the_plugin_in_the_guide_keeps_its_contract_as_shown(guide):
    ran = run(guide, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_contract.py")
    assert ran.returncode == 0, ran.stdout
    shown = next(block.text for block in blocks(TESTING) if block.language == "console")
    assert re.findall(r"\d+ passed", ran.stdout) == re.findall(r"\d+ passed", shown)


def test_the_plugin_in_the_guide_becomes_a_wheel_that_the_command_finds(guide):
    build = "import sys; from flit_core.buildapi import build_wheel; print(build_wheel('.'))"
    wheel = run(guide, "-c", build)
    assert wheel.returncode == 0, wheel.stderr
    installed = guide / "installed"
    zipfile.ZipFile(guide / wheel.stdout.strip()).extractall(installed)
    command = "import sys; sys.path.append('installed'); from setpoint.cli import main; main()"
    (guide / "setpoint_entry.py").unlink()
    ran = run(guide, "-c", command, "apply", "site.yaml", "--prefix", "state")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "entry gateway: text 192.0.2.1 gateway" in ran.stdout
    assert "noop hosts changed: refreshed because of entry gateway" in ran.stdout
    assert (guide / "demo/hosts").read_text() == "192.0.2.1 gateway\n"


async def test_the_wrapper_in_the_guide_is_accepted(guide, monkeypatch):
    monkeypatch.syspath_prepend(guide)
    from setpoint import Resource

    class Thing(Resource):
        kind = "thing"

        def check(self) -> list:
            return []

    plugins = Plugins(path=[])
    plugins.register(__import__("setpoint_slow"))
    assert await plugins.bind(Thing("one"), "check_apply")(apply=True) == []
    assert plugins.wraps("check_apply")
    assert plugins.problems == []
