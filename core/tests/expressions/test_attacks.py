"""Whatever somebody writes into an expression, an answer comes soon, and little memory is taken for it."""

import re
import time
from pathlib import Path
from typing import Any

import pytest

from setpoint.expressions import Expression, ExpressionError, State, Template
from setpoint.testing.clocks import HandClock

CORPUS = Path(__file__).parent / "attacks.txt"
CPU = 0.1  # seconds
MEMORY = 50 << 20  # bytes
TRIES = 3  # on a machine that does other things as well


def attacks() -> list[str]:
    """Return the attacks as they are written."""
    lines = CORPUS.read_text().splitlines()
    return [line for line in lines if line and not re.match(r"# .", line)]


def unfolded(attack: str) -> str:
    return re.sub(r"⟦(.*?)⟧(\d+)", lambda found: found[1] * int(found[2]), attack)


@pytest.fixture(scope="module")
def victims() -> dict[str, object]:
    deep: list[Any] = []
    dag: list[Any] = [1]
    for _ in range(80):
        deep = [deep]
    for _ in range(30):
        dag = [dag, dag]
    return {
        "vars": {
            "big": "a" * 300_000,
            "wide": "".join(map(chr, range(0x100, 0x100 + 50_000))) + "ß" * 50_000,
            "list": list(range(20_000)),
            "huge": list(range(200_000)),
            "rows": [{"name": f"n{x}", "value": x} for x in range(2_000)],
            "texts": ["a" * 100 for _ in range(2_000)],
            "deep": deep,
            "dag": dag,
            "map": {f"k{x}": x for x in range(20_000)},
        }
    }


def memory(field: str) -> int:
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) << 10


def measured(attack: str, names: dict[str, object]) -> tuple[float, int]:
    """Return the seconds of CPU and the bytes of memory that `attack` takes."""
    Path("/proc/self/clear_refs").write_text("5")  # the most that was taken is counted anew
    before = memory("VmRSS")
    refused, said = None, ""
    begun = time.thread_time()
    try:
        for part in Template("${{ " + attack + " }}").parts:
            if isinstance(part, Expression):
                part.evaluate(names, state=State(HandClock()))
    except ExpressionError as error:  # most are refused, some are bounded
        refused = error
        said = str(error)
    taken = time.thread_time() - begun, memory("VmHWM") - before
    if refused:
        assert len(said) < 1_000
        assert refused.start >= 0
    return taken


def test_there_are_many_attacks() -> None:
    assert len(set(attacks())) >= 150


@pytest.mark.parametrize("attack", attacks(), ids=lambda attack: attack[:40])
def test_an_attack_is_bounded(attack: str, victims: dict[str, object]) -> None:
    for _ in range(TRIES):
        cpu, size = measured(unfolded(attack), victims)
        if cpu < CPU:
            break
    assert cpu < CPU
    assert size < MEMORY
