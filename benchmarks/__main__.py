"""Measure the rows and print the table: `bin/bench [ROW...] [--quick] [--json FILE]`."""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.bench import Bench, Figure, report
from benchmarks.names import NAMES, row

ROOT = Path(__file__).parent.parent


def main() -> int:
    """Measure each row in a process of its own, so that none pays for another's memory."""
    options = _options()
    if options.one:
        memory, disk, programs = map(Path, options.places)
        bench = Bench(options.quick, memory, disk, programs, options.compiler, options.idle)
        report(row(options.one)(bench))
        return 0
    print(facts(), flush=True)
    if not options.compiler:
        print("no C compiler: only floors in Python are measured; install gcc")
    found, wrong = [], 0
    for name in options.rows or NAMES:
        figures, code = _measure(name, options)
        wrong |= code
        found += [{"row": name, **figure._asdict(), "met": figure.met} for figure in figures]
    if options.json:
        Path(options.json).write_text(json.dumps({"facts": facts(), "figures": found}, indent=1))
    return wrong


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/bench", description=__doc__)
    parser.add_argument(
        "rows", nargs="*", metavar="ROW", help=f"of {', '.join(NAMES)}; all if none is given"
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds and smaller sizes")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    parser.add_argument("--idle", type=float, default=10.0, metavar="SECONDS", help="to idle for")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--places", nargs=3, help=argparse.SUPPRESS)
    compiler = shutil.which("gcc") or shutil.which("cc") or ""
    parser.add_argument("--compiler", default=compiler, help="the C compiler; '' for none")
    options = parser.parse_args()
    for name in options.rows:
        if name not in NAMES:
            parser.error(f"no row is called {name!r}; there are {', '.join(NAMES)}")
    return options


def facts() -> str:
    """Return what machine this is, and how busy."""
    cores = len(os.sched_getaffinity(0))
    python = f"{platform.python_implementation()} {platform.python_version()}"
    load = os.getloadavg()[0]
    return f"{cores} cores, {platform.system()} {platform.release()}, {python}, load {load:.1f}"


def _measure(name: str, options: argparse.Namespace) -> tuple[list[Figure], int]:
    """Measure the row `name` in directories that are gone afterwards; print it line by line."""
    figures = []
    shared = Path("/dev/shm")
    with (
        tempfile.TemporaryDirectory(
            prefix="setpoint-bench-", dir=shared if shared.is_dir() else None
        ) as memory,
        tempfile.TemporaryDirectory(prefix="setpoint-bench-", dir=_on_disk()) as disk,
    ):
        programs = Path(memory, "programs")
        programs.mkdir()
        command = [sys.executable, "-m", "benchmarks", "--one", name, "--idle", str(options.idle)]
        command += ["--compiler", options.compiler, *(["--quick"] if options.quick else [])]
        command += ["--places", memory, disk, str(programs)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
            for line in child.stdout or ():
                figures.append(Figure(*json.loads(line)))
                print(shown(figures[-1]), flush=True)
    if child.returncode:
        print(f"{name}: wrong, see above", flush=True)
    return figures, int(child.returncode != 0)


def _on_disk() -> Path:
    """Return a directory of the checkout that git ignores."""
    path = ROOT / "build"
    path.mkdir(exist_ok=True)
    return path


def shown(figure: Figure) -> str:
    """Return `figure` as a line of the table."""
    floor = "-" if figure.floor is None else f"{figure.floor:.4g}"
    ratio = "-" if figure.found is None else f"{figure.found:.2f} x"
    promises = [] if figure.ratio is None else [f"{figure.ratio:g} x"]
    promises += [] if figure.most is None else [f"{figure.most:g} {figure.unit}"]
    met = {True: "met", False: "MISSED", None: ""}[figure.met]
    ours = f"{figure.ours:.4g} {figure.unit}"
    return f"{figure.what:<46} {ours:>18} {floor:>9} {ratio:>8}  {' and '.join(promises):<14} {met}"


if __name__ == "__main__":
    sys.exit(main())
