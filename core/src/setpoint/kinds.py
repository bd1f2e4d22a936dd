"""The kinds that are installed, for Python programs: `from setpoint.kinds import File`.

A class has the name of its kind: `file` is `File`, `http:server` is `HttpServer`. What it takes is checked when the
graph is evaluated; `setpoint stubs` writes it down for type checkers and editors.
"""

from functools import cache
from typing import TYPE_CHECKING, Any

from setpoint.errors import suggest
from setpoint.plugins import Plugins

if TYPE_CHECKING:
    from setpoint.program.declared import Declared


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = _classes().get(name)
    if found is None:  # an ImportError, for Python would not show what an AttributeError says
        hint = (
            suggest(name, _classes()) or f"none of the {len(_classes())} installed ones is like it"
        )
        raise ImportError(f"no installed plugin has a kind for {name!r}; {hint}")
    return found


def __dir__() -> list[str]:
    return sorted(_classes())


@cache
def _classes() -> "dict[str, type[Declared]]":
    """Return the class of each kind that is installed, by its name."""
    from setpoint.program.declared import class_name, class_of

    return {class_name(kind): class_of(kind) for kind in Plugins().kinds()}
