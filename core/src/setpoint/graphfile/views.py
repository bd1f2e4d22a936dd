"""Maps that are looked up when they are read: what expressions can name below one root."""

from collections.abc import Callable
from typing import Any


class View(dict[str, Any]):
    """What can be named below one root, looked up when it is read."""

    def __init__(self, value_of: Callable[[str], Any]) -> None:
        super().__init__()
        self._value_of = value_of

    def __missing__(self, name: str) -> Any:
        return self._value_of(name)
