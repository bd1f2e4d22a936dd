"""What a loop reports that nobody handled: a plugin's own task that raised, say."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any


def told_without(
    secrets: Callable[[str], str],
) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    """Return an exception handler for a loop that logs as its own does, but no secrets.

    Args:
        secrets: returns the text it is given without them.

    """

    def handle(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        from traceback import format_exception

        error = context.get("exception")
        trace = "".join(["\n", *format_exception(error)]) if error else ""
        logging.getLogger("asyncio").error("%s", secrets(f"{context['message']}{trace}".rstrip()))

    return handle
