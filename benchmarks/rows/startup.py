"""From the start of the command to the first check, with 200 distributions and 50 plugins installed."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from benchmarks.bench import Bench, Figure, Times, best

DISTRIBUTIONS, PLUGINS = 200, 50
COMMAND = "from setpoint.cli import main; main()"
HEAVY = "asyncio msgspec yaml ctypes sqlite3 dataclasses importlib.metadata subprocess rich psutil"
LIGHT = f"""
import sys
before = set(sys.modules)
from setpoint.cli import main
try:
    main()
except SystemExit:
    pass
loaded = set(sys.modules) - before
heavy = loaded & set({HEAVY!r}.split()) | {{name for name in loaded if name.startswith(("plugin", "setpoint_"))}}
if heavy:
    sys.stderr.write(f"loaded: {{sorted(heavy)}}\\n")
    sys.exit(3)
"""
KIND = '''
import os
from setpoint import Resource

class First(Resource):
    """Ends the process at the first check."""
    kind = "first"
    quick = True
    def check(self):
        if self.name == "end":
            os._exit(42)
        return []
'''


def _installed(where: Path) -> Path:
    """Make distributions in `where`, as an installer leaves them; some have plugins."""
    for i in range(DISTRIBUTIONS):
        info = where / f"other_{i}-1.{i}.dist-info"
        info.mkdir(parents=True)
        lines = [f"Requires-Dist: other-{j}" for j in range(10)] + ["", *["A long text."] * 200]
        about = [f"Metadata-Version: 2.1\nName: other-{i}\nVersion: 1.{i}", *lines]
        (info / "METADATA").write_text("\n".join(about))
        (info / "RECORD").write_text("".join(f"other_{i}/m{j}.py,,\n" for j in range(50)))
        if i < PLUGINS:
            kind = "first" if i == 0 else f"other{i}"
            entry = f"[setpoint.kinds]\n{kind} = plugin{i}:First\n"
            (info / "entry_points.txt").write_text(entry)
            (where / f"plugin{i}.py").write_text(KIND)
        elif i % 2:
            (info / "entry_points.txt").write_text(
                f"[console_scripts]\nother{i} = other_{i}:main\n"
            )
    return where


class _Command:
    """Runs Python with what is installed in `where`."""

    def __init__(self, where: Path) -> None:
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(where),
            "XDG_CACHE_HOME": str(where.parent / "cache"),
        }
        self._log = where.parent / "output"

    def run(self, code: int, *args: str) -> tuple[float, float]:
        """Return the CPU and wall seconds of Python with `args`, which is to exit with `code`."""
        began = perf_counter()
        out = (os.POSIX_SPAWN_OPEN, 1, str(self._log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        errors = (os.POSIX_SPAWN_DUP2, 1, 2)
        argv = [sys.executable, *args]
        child = os.posix_spawn(argv[0], argv, self._environment, file_actions=[out, errors])
        _, status, used = os.wait4(child, 0)
        wall = perf_counter() - began
        found = os.waitstatus_to_exitcode(status)
        assert found == code, f"{args}: exit code {found}\n{self._log.read_text()}"
        return used.ru_utime + used.ru_stime, wall


def start(bench: Bench) -> Iterator[Figure]:
    """Start until the first check; the whole of `apply`; what loads nothing."""
    where = _installed(bench.memory / "site")
    command = _Command(where)
    graphs = {}
    for name in ("end", "whole"):
        graphs[name] = bench.memory / f"{name}.yaml"
        graphs[name].write_text(f"resources:\n  first {name}:\n")
    prefix = ("--prefix", str(bench.memory / "state"))

    def apply(name: str, code: int) -> tuple[float, float]:
        return command.run(code, "-c", COMMAND, "apply", *prefix, str(graphs[name]))

    def floor() -> Times:
        return {"floor": command.run(0, "-c", "pass")[0]}

    def ours() -> Times:
        cpu, wall = apply("end", 42)
        said = {name: command.run(0, "-c", COMMAND, f"--{name}")[0] for name in ("version", "help")}
        return {"ours": cpu, "wall": wall, "whole": apply("whole", 0)[0], **said}

    for name in ("version", "help"):
        command.run(0, "-c", LIGHT, f"--{name}")
    found = {name: took * 1e3 for name, took in best(3 * bench.rounds, floor, ours).items()}
    floors = found["floor"]
    yield Figure("start to first check, 200 dists, 50 plugins", found["ours"], floors, "ms", 7, 100)
    yield Figure("  wall", found["wall"], None, "ms")
    yield Figure("  the whole of apply, to its exit", found["whole"], floors, "ms")
    yield Figure("  --version, loads nothing heavy", found["version"], floors, "ms")
    yield Figure("  --help, loads nothing heavy", found["help"], floors, "ms")


ROWS = {"startup": start}
