"""An engine that watches 100,000 files and has nothing to do."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from time import process_time

from benchmarks.bench import SIZE, Bench, Figure, tree
from benchmarks.rows.files import graph_of
from benchmarks.running import running

FILES, FEW = 100_000, 10_000


def _status(name: str) -> int:
    """Return the number that the kernel gives as `name` of this process."""
    found = re.search(rf"^{name}:\s+(\d+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1])


def _waits() -> int:
    """Return how often threads of this process have gone to sleep."""
    tasks = Path("/proc/self/task").glob("*/status")
    return sum(
        int(re.findall(r"^voluntary_ctxt_switches:\s+(\d+)", t.read_text(), re.M)[0]) for t in tasks
    )


def idle(bench: Bench) -> Iterator[Figure]:
    """Watch and wait: wake-ups, CPU time, memory."""
    files, seconds = (FEW, 3.0) if bench.quick else (FILES, bench.idle)
    root = tree(bench.disk / "idle", files)  # in /dev/shm others make files, and the way is watched
    bench.floor("create", root, files, SIZE)  # else the engine makes them

    async def measure() -> tuple[int, float, int]:
        async with running(graph_of(root, files), bench.memory / "state") as run:
            await run.converged()
            await run.quiet()
            await asyncio.sleep(2)  # the watchdog has looked for the last time
            waits, used = _waits(), process_time()
            await asyncio.sleep(seconds)
            return _waits() - waits - 1, process_time() - used, _status("VmRSS")

    waits, used, memory = asyncio.run(measure())
    what = f"idle {seconds:g} s, {files:,} watched files"
    yield Figure(f"{what}: wake-ups", waits, None, "", None, 0)
    yield Figure("  CPU", used, None, "s", None, 0.01)
    yield Figure("  memory in all", memory / 1024, None, "MB", None, 20 + 1.2 * files / 1024)


ROWS = {"idle": idle}
