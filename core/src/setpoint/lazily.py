"""Names of a package that are loaded when they are first used, so that a start loads no others."""

import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of `package`.

    Args:
        package: its whole name.
        homes: each name to the module of the package that has it; empty: the name is that of a module.

    """

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        from importlib import import_module

        module = import_module(f"{package}.{homes[name] or name}")
        value = getattr(module, name) if homes[name] else module
        setattr(sys.modules[package], name, value)  # next time nobody asks here
        return value

    return load
