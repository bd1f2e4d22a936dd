"""The suites find what is wrong in a kind or fact: each mistake is found by the test of that rule, and by no other."""

import ast
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest

HERE = Path(__file__).parent
FILES = ("wrong_kinds.py", "wrong_facts.py")
ROOT_ONLY = ("TestLordly", "TestTerse")  # others are not root in all of the tests


def wanted() -> dict[str, set[str]]:
    """What is to fail in each of the classes of tests, as is written there."""
    found = {}
    for file in FILES:
        for node in ast.parse((HERE / file).read_text()).body:
            if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
                found[f"{file[:-3]}.{node.name}"] = fails(node)
    inherited = {"wrong_kinds.TestTerse": found["wrong_kinds.TestLordly"]}
    return {**found, **inherited}


def fails(suite: ast.ClassDef) -> set[str]:
    for line in suite.body:
        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "fails":
            return {*ast.literal_eval(line.value).split()}
    return set()


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, set[str]]:
    """What fails in each class when all of them are run."""
    report = tmp_path_factory.mktemp("report") / "report.xml"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--junitxml={report}",
    ]
    ran = subprocess.run([*command, *FILES], cwd=HERE, capture_output=True, text=True)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    found: dict[str, set[str]] = {name: set() for name in wanted()}
    for case in ElementTree.parse(report).iter("testcase"):
        name = ".".join(case.get("classname", "").split(".")[-2:])
        if case.find("failure") is not None or case.find("error") is not None:
            found[name].add(case.get("name", ""))
    return found


@pytest.mark.timeout(60)
@pytest.mark.parametrize("suite", wanted())
def test_what_is_wrong_is_found_by_the_test_of_that_rule_and_no_other(
    suite: str, failed: Mapping[str, set[str]]
) -> None:
    assert failed[suite] == wanted()[suite]
