"""A question to the person at the terminal, asked while everything else goes on."""

import asyncio
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from setpoint.errors import SetpointError

if TYPE_CHECKING:
    from setpoint.cli.report import Report

ANSWERS = {"y": True, "yes": True, "n": False, "no": False, "": False}
DETAILS = ("d", "detail", "details")


def refuse_without_terminal() -> None:
    """Do nothing if somebody can be asked.

    Raises:
        SetpointError: nobody can.

    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        why = "--confirm asks at a terminal, and there is none"
        raise SetpointError(f"{why}; leave it out, or look first with `setpoint plan`")


async def ask(report: "Report", text: str, details: Callable[[], str]) -> bool:
    """Ask `text` until it is answered by y or n; return whether by y.

    The end of the input is a no. What was typed before the question is no answer to it.

    Args:
        report: shows the question below all else that happens.
        text: the question.
        details: returns what is shown if d is answered.

    """
    import termios

    termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
    try:
        while True:
            report.ask(f"{text} y(es), n(o), d(etail): ")
            line = await _line()
            answer = line.decode(errors="replace").strip().lower()
            if answer in DETAILS:
                report.show(details())
            elif answer in ANSWERS and (answer or not line):
                return ANSWERS[answer]
    finally:
        report.ask("")


async def _line() -> bytes:
    """Return the next line of stdin; empty at its end."""
    loop, stdin = asyncio.get_running_loop(), sys.stdin.fileno()
    ready = loop.create_future()

    def read() -> None:
        if not ready.done():
            ready.set_result(os.read(stdin, 4096))

    loop.add_reader(stdin, read)
    try:
        return bytes(await ready)
    finally:
        loop.remove_reader(stdin)
