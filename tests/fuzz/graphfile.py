"""Looks for a graph file whose reading crashes or hangs, guided by what it covers: by atheris (libFuzzer).

    python3 -m venv /tmp/fuzz && /tmp/fuzz/bin/pip install -q atheris -e 'core[testing]'
    /tmp/fuzz/bin/python tests/fuzz/graphfile.py --seed /tmp/files
    /tmp/fuzz/bin/python tests/fuzz/graphfile.py -max_total_time=300 -rss_limit_mb=1000 /tmp/files

`--seed` fills the folder with the graph files of the tests, good and wrong ones, and does nothing else. A text is read,
and evaluated with what facts may tell; that changes nothing on the machine. What ends a run is an exception other than
`GraphError`, a reading that takes longer than `LONGEST`, or more memory than the limit.
"""

import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import atheris

TESTS = Path(__file__).parents[2] / "core/tests"
LOOKED_AT = ["setpoint.graphfile", "setpoint.declarations", "setpoint.expressions"]

with atheris.instrument_imports(include=LOOKED_AT):
    from setpoint import graphfile
    from setpoint.errors import GraphError
    from setpoint.expressions import Template  # noqa: F401 - else it is imported later, and not looked at
    from setpoint.graphfile import references  # noqa: F401
    from setpoint.values import Secret

sys.path.insert(0, str(TESTS / "graphfile"))
from conftest import FACTS, KINDS, Disk, Known, Load  # noqa: E402

LONGEST = 5.0  # seconds of CPU, instrumented
WORDS = (
    "graph: vars: facts: defaults: resources: edges: include: inputs: secrets: hosts: groups: publish: collect: meta:"
    " when: for_each: require: before: notify: listen: export: hidden: realize: reverse: retry: type: default: name:"
    " ${{ }} $${{ vars.a facts.load.x1 facts.disks each.key each.value inputs.a secrets.a env.HOME host.name hosts"
    " world.a module noop exec file password timer user odd load disks -> ~> hold fire drop true false null 1 -1 .5"
    " [ ] { } : , - | > & * ! # ' \" % @ ` ? --- ... <<: ~ 0644 1e3 a b /a \\ \t + == if else for in len( held( json("
).split(" ")
CANARY = "hunter22"
SENT = ('send["exec a"].stdout', "send['password a'].password", 'send["exec a"].lines[0]')
TOLD: tuple[dict[str, Any], ...] = (
    {"load": Load.Value(x1=1.5, x5=1, x15=1), "disks": [Disk(device="sda", used=95)]},
    {
        "load": Load.Value(x1=5.5, x5=1, x15=1),
        "disks": [],
        "hostname": "web1",
        "secrets.db": Secret(CANARY),
    },
    dict.fromkeys(FACTS),
)
PLUGINS = Known(path=[])
PLUGINS.add(*KINDS)
PATH = Path(tempfile.mkdtemp(prefix="setpoint-fuzz-")) / "g.yaml"
shutil.copytree(TESTS / "corpus/wrong/modules", PATH.parent / "modules")


def read(data: bytes) -> None:
    """Read `data` as a graph file; anything but a graph or a `GraphError` is a find."""
    PATH.write_bytes(data)
    begun = time.thread_time()
    try:
        live = graphfile.live([PATH], PLUGINS)
        for values in TOLD:
            live.evaluate(values)
    except GraphError as error:
        refused = error
        assert all(problem.message for problem in refused.problems), refused
        assert CANARY not in str(refused) or CANARY.encode() in data
    taken = time.thread_time() - begun
    assert taken < LONGEST, f"{taken} s for {data!r}"


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """Return `data` with words or lines of graph files put in, left out or moved, or as libFuzzer would have it."""
    chance = random.Random(seed)
    if chance.random() < 0.3:
        return bytes(atheris.Mutate(data, most))
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    way = chance.randrange(5)
    if way == 0:
        lines.insert(at, chance.choice(lines))
    elif way == 1:
        del lines[at]
    elif way == 2:
        lines[at] = b" " * chance.choice((2, 4)) + lines[at].lstrip()
    else:
        words = lines[at].split(b" ")
        word = chance.choice((*WORDS, *SENT)).encode()
        cut = chance.randrange(len(words))
        words[cut : cut + way - 3] = [word]
        lines[at] = b" ".join(words)
    return b"\n".join(lines)[:most]


def seed(folder: Path) -> None:
    """Copy the graph files of the tests into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in TESTS.rglob("corpus/*/*.yaml"):
        if path.stat().st_size < 4_000:
            (folder / f"{path.parent.name}-{path.stem}").write_bytes(path.read_bytes())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--seed"]:
        seed(Path(sys.argv[2]))
        sys.exit()
    atheris.Setup(sys.argv, read, custom_mutator=mutate)
    atheris.Fuzz()
