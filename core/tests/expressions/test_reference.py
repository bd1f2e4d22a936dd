"""The reference of the language is complete, and what its tables say is so."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from setpoint.expressions import ROOTS, UNKNOWN, Expression
from setpoint.expressions.calls import KNOWN
from setpoint.expressions.frame import MAX_BITS, MAX_STEPS, MAX_TEXT
from setpoint.expressions.methods import NAMES
from setpoint.expressions.syntax import MAX_SOURCE

PAGE = (Path(__file__).parents[3] / "docs/reference/expressions.md").read_text()
ROWS = re.findall(r"^\| `([^`]+)` \| (`[^`]+`|unknown) \|", PAGE, re.MULTILINE)
VALUES = re.search(r"```yaml values\n(.*?)```", PAGE, re.DOTALL)


def values() -> dict[str, Any]:
    assert VALUES
    names: dict[str, Any] = yaml.safe_load(VALUES[1])
    names["facts"]["silent"] = UNKNOWN
    return names


@pytest.mark.parametrize(("source", "shown"), ROWS)
def test_an_expression_gives_what_stands_beside_it(source: str, shown: str) -> None:
    found = Expression(source).evaluate(values())
    if shown == "unknown":
        assert found is UNKNOWN
    else:
        assert json.dumps(found) == json.dumps(json.loads(shown[1:-1]))  # 5.0 is not 5


@pytest.mark.parametrize("name", KNOWN)
def test_each_function_is_in_the_reference(name: str) -> None:
    assert re.search(rf"^\| `.*\b{name}\(", PAGE, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_method_is_in_the_reference(name: str) -> None:
    assert re.search(rf"^\| `.*\.{name}\(", PAGE, re.MULTILINE)


def test_each_name_is_in_the_reference() -> None:
    missing = [root for root in ROOTS if not re.search(rf"^\|.*`{root}\b", PAGE, re.MULTILINE)]
    assert missing == []


def test_the_bounds_are_as_told() -> None:
    for bound in (MAX_SOURCE, MAX_STEPS, MAX_TEXT):
        assert f"{bound:,}" in PAGE.partition("## Bounds")[2]
    assert f"up to {len(str(2**MAX_BITS)) - 1}" in " ".join(PAGE.split())
