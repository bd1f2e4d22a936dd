"""A real engine with real plugins is killed hundreds of times and goes on each time: nothing is lost.

The work is done by `tests/crash/run.py`, a program of its own because it forks; that also runs longer.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

KILLS = os.environ.get("SETPOINT_KILLS", "500")


@pytest.mark.timeout(600)
def test_kills_lose_no_refresh_tear_no_file_and_leave_nothing_behind():
    program = Path(__file__).parent / "crash" / "run.py"
    done = subprocess.run([sys.executable, program, KILLS], capture_output=True, text=True)
    print(done.stdout, done.stderr)  # noqa: T201 - the seed, and what was found
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert ", 0 wrong, " in done.stdout
