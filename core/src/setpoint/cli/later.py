"""Modules of Python that every start imports and few runs use: they are loaded when they are first used.

asyncio imports ssl for connections that the engine does not make, which takes a whole start of Python. Whoever uses it
later, a plugin say, finds it as ever. Only the command does this, never the library.

`importlib.util.LazyLoader` does the same, but two threads that use a module for the first time may find it half loaded
before Python 3.11.9 and 3.12.3.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from threading import RLock
from types import ModuleType
from typing import Any

NAMES = frozenset({"asyncio.sslproto", "ssl"})

_lock = RLock()
_begun: set[ModuleType] = set()


def load_later() -> None:
    """Let each of the modules `NAMES`, when it is imported, be loaded at its first use."""
    if PathFinder.find_spec("_ssl"):  # asyncio does without ssl if it cannot be imported
        sys.meta_path.insert(0, _Finder)


class _Finder:
    """Finds what Python finds, and puts off loading it."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how `name` is loaded; None leaves it to Python."""
        spec = PathFinder.find_spec(name, path, target) if name in NAMES else None
        if spec is not None:
            later: Any = _Loader(spec.loader)
            spec.loader = later
        return spec


class _Loader:
    """Makes a module that `loader` loads when it is first used."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Return a module; None is the usual one."""
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        """Load nothing yet."""
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        module.__class__ = _Later


class _Later(ModuleType):
    """A module that is not loaded yet, or is just being loaded."""

    def __getattr__(self, name: str) -> Any:
        with _lock:
            if type(self) is _Later and self not in _begun:
                _load(self)
        return ModuleType.__getattribute__(self, name)


def _load(module: ModuleType) -> None:
    _begun.add(module)
    try:
        module.__loader__.exec_module(module)  # type: ignore[union-attr]
        module.__class__ = ModuleType
    finally:
        _begun.discard(module)
