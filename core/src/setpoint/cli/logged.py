"""What is logged while a command runs, shown as what it is: a warning or an error, with whose it is."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

OURS = "setpoint"  # the logger above those of kinds and facts


@contextmanager
def shown(
    logger: str,
    warn: Callable[[str], None],
    error: Callable[[str], None],
    secrets: Callable[[str], str],
) -> Iterator[None]:
    """Show what is logged inside a `with`, in the place of Python's last resort.

    Args:
        logger: its name; empty for all. A plugin that is loaded later may set logging up only if that was `OURS`.
        warn: called with each warning.
        error: called with what is worse.
        secrets: returns the text it is given without them.

    """
    handler = _Handler(warn, error, secrets)
    logging.getLogger(logger).addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger(logger).removeHandler(handler)


class _Handler(logging.Handler):
    def __init__(
        self,
        warn: Callable[[str], None],
        error: Callable[[str], None],
        secrets: Callable[[str], str],
    ) -> None:
        super().__init__(logging.WARNING)
        self._warn, self._error, self._secrets = warn, error, secrets

    def emit(self, record: logging.LogRecord) -> None:
        """Show `record`."""
        whose = getattr(record, "resource", "")
        text = self._secrets(f"{whose}: {self.format(record)}" if whose else self.format(record))
        (self._error if record.levelno >= logging.ERROR else self._warn)(text)
