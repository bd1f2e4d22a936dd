"""Import what an entry point names; what goes wrong there names the plugin as culprit."""

import importlib
import sys
from collections.abc import Iterator
from types import CodeType, TracebackType
from typing import NamedTuple

from setpoint.errors import PluginError, suggest, text_of


class EntryPoint(NamedTuple):
    """What a distribution brings, known without importing it."""

    name: str
    module: str
    attribute: str  # "" is the module itself
    distribution: str
    version: str

    @property
    def origin(self) -> str:
        """The distribution and its version, "setpoint-file 0.1.0"."""
        return f"{self.distribution} {self.version}".rstrip()

    @property
    def target(self) -> str:
        """Where the object is: "setpoint_file:File"."""
        return f"{self.module}:{self.attribute}" if self.attribute else self.module

    def load(self) -> object:
        """Import the module and return the object.

        Raises:
            BaseException: whatever the module raises while it is imported.
            AttributeError: it has no such object.

        """
        found: object = importlib.import_module(self.module)
        for name in filter(None, self.attribute.split(".")):
            found = getattr(found, name)
        return found


def load(entry: EntryPoint, what: str) -> object:
    """Return the object of `entry`, `what` being its name in a message: "kind file".

    Raises:
        PluginError: anything but ^C happened; it is the cause.

    """
    try:
        return entry.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        broken = f"{what}: {entry.target} cannot be imported, {_described(error)}"
        raise PluginError(
            entry.origin, broken + _culprit(error, entry), _cure(error, entry)
        ) from error


def _described(error: BaseException) -> str:
    """Return the class of `error` and the first line of its text, as far as it has one."""
    text = error.msg if isinstance(error, SyntaxError) else text_of(error)
    return f"{type(error).__name__}: {text}".partition("\n")[0].removesuffix(": ")


def _culprit(error: BaseException, entry: EntryPoint) -> str:
    """Return " (file:line)" of the plugin's own code where `error` came up, "" if it never ran."""
    if isinstance(error, SyntaxError) and (error.filename or "").endswith(".py"):
        return f" ({place(str(error.filename), error.lineno or 0)})"
    own = line_within(entry.module, error)
    if own:
        return f" ({own})"
    file = getattr(sys.modules.get(entry.module), "__file__", None)
    return f" ({place(file)})" if file else ""


def _cure(error: BaseException, entry: EntryPoint) -> str:
    """Return what a person can do about `error`."""
    module = sys.modules.get(entry.module)
    if isinstance(error, AttributeError) and module is not None and error.obj is module:
        near = suggest(entry.attribute, [name for name in vars(module) if name[0] != "_"])
        if near.startswith("did"):
            return near
    if isinstance(error, ModuleNotFoundError) and error.name:
        missing = error.name.partition(".")[0]
        if missing != entry.module.partition(".")[0]:
            return f"install what brings the module {missing!r}"
        return f"install {entry.distribution} again"
    return "tell its author, or uninstall it"


def line_within(module: str, error: BaseException) -> str:
    """Return the file:line in the package of `module` where `error` came up; "" if not in there."""
    package = module.partition(".")[0]
    own = [
        (frame.tb_frame.f_code.co_filename, frame.tb_lineno)
        for frame in frames(error.__traceback__)
        if str(frame.tb_frame.f_globals.get("__name__")).partition(".")[0] == package
    ]
    if own:
        return place(*own[-1])
    return line_within(module, error.__cause__) if error.__cause__ else ""


def frames(traceback: TracebackType | None) -> Iterator[TracebackType]:
    """Yield the links of `traceback`, from where it was caught to where it was raised."""
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def place(file: str, line: int = 0) -> str:
    """Return `file:line`, with the file as seen from the directory of the path it is in."""
    inside = [entry for entry in sys.path if entry and file.startswith(entry.rstrip("/") + "/")]
    shown = file[len(max(inside, key=len).rstrip("/")) + 1 :] if inside else file
    return f"{shown}:{line}" if line else shown


def place_of(code: CodeType) -> str:
    """Return where the function of `code` is written."""
    return place(code.co_filename, code.co_firstlineno)


def place_of_class(kind: type) -> str:
    """Return where `kind` is written; its module if nothing more is known."""
    import inspect

    file = getattr(sys.modules.get(kind.__module__), "__file__", None) or kind.__module__
    try:
        return place(file, inspect.getsourcelines(kind)[1])
    except (OSError, TypeError, IndexError, SyntaxError):  # made at run time: nothing to point at
        return place(file)
