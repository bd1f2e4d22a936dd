"""Find plugins, check them, and bind resources to them.

What is installed is known without importing any of it. A kind is imported when it is first asked
for; the plugins that stand around verbs are imported together, when the first resource is bound.
What is broken is named, with its distribution and line, and nothing else fails.
"""

import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from setpoint.errors import PluginError
from setpoint.plugins.cache import File, cache_file, scan_all
from setpoint.plugins.loading import EntryPoint, load, place_of_class
from setpoint.plugins.scan import GROUPS, merge, normalised
from setpoint.plugins.unknown import UnknownFactError, UnknownKindError

if TYPE_CHECKING:
    from setpoint.plugins.checks import Fault
    from setpoint.plugins.wrappers import Wrappers
    from setpoint.resource import Fact, Resource

    _Faults = Callable[[object, str], Iterator[Fault]]

__all__ = ["EntryPoint", "Plugins", "UnknownFactError", "UnknownKindError", "cache_file"]

_WORDS = dict(zip(GROUPS, ("kind", "fact", "command", "wrapper"), strict=True))
_Claims = dict[str, list[EntryPoint]]


class Plugins:
    """The plugins that are there, and the kinds, facts and commands they bring.

    Args:
        path: the directories in which distributions are looked for; `sys.path` if it is None.
            What is found is imported as ever, so it must lie on `sys.path` by then.
        cache: a file that remembers what was found (see `cache_file`); None remembers nothing.
        block: names of distributions that are taken as not installed.

    Attributes:
        problems: what was found broken, and is not used: garbled metadata, then wrapper plugins
            once the first resource is bound. A broken kind is raised where it is asked for.

    """

    def __init__(
        self,
        *,
        path: Sequence[str] | None = None,
        cache: File | None = None,
        block: Collection[str] = (),
    ) -> None:
        self.problems: list[PluginError] = []
        self._path, self._cache = path, cache
        self._block = frozenset(map(normalised, block))
        self._groups: dict[str, _Claims] = {}
        self._added: dict[str, type[Resource]] = {}
        self._checked: dict[tuple[str, str], Any] = {}  # a class, or why it is none
        self._origins: dict[type, EntryPoint] = {}
        self._wrappers: Wrappers | None = None

    def kinds(self) -> Mapping[str, EntryPoint]:
        """Return what kinds are installed, without importing them; not those that were added."""
        return self._first_of("setpoint.kinds")

    def facts(self) -> Mapping[str, EntryPoint]:
        """Return what facts are installed, without importing them."""
        return self._first_of("setpoint.facts")

    def commands(self) -> Mapping[str, EntryPoint]:
        """Return what sub-commands are installed, without importing them."""
        return self._first_of("setpoint.commands")

    def kind(self, name: str) -> "type[Resource]":
        """Return the class of the kind `name`, imported and checked.

        Raises:
            UnknownKindError: no installed plugin has it.
            PluginError: its plugin is broken, or two have it.

        """
        if name in self._added:
            return self._added[name]
        if name not in self._claims("setpoint.kinds"):
            raise UnknownKindError(name, {**self.kinds(), **self._added})
        from setpoint.plugins.checks import faults_of_kind

        kind: type[Resource] = self._class("setpoint.kinds", name, faults_of_kind)
        return kind

    def fact(self, name: str) -> "type[Fact]":
        """Return the class of the fact `name`, imported and checked.

        Raises:
            UnknownFactError: no installed plugin has it.
            PluginError: its plugin is broken, or two have it.

        """
        if name not in self._claims("setpoint.facts"):
            raise UnknownFactError(name, self.facts())
        from setpoint.plugins.checks import faults_of_fact

        fact: type[Fact] = self._class("setpoint.facts", name, faults_of_fact)
        return fact

    def command(self, name: str) -> Any:
        """Return the click command `name`, imported.

        Raises:
            KeyError: no installed plugin has it.
            PluginError: its plugin is broken, or two have it.

        """
        return self._imported("setpoint.commands", name)

    def add(self, *kinds: "type[Resource]") -> None:
        """Take in kinds that no distribution brings; they come before installed ones of their name.

        Raises:
            PluginError: one of them is not what a kind must be, or its name was added before.

        """
        from setpoint.plugins.checks import faults_of_kind

        for kind in kinds:
            name = str(getattr(kind, "kind", ""))
            _refuse("", f"kind {name}", kind, faults_of_kind(kind, name))
            if self._added.setdefault(name, kind) is not kind:
                other = place_of_class(self._added[name])
                raise PluginError("", f"kind {name} was added before, from {other}", "rename one")

    def register(self, plugin: object) -> None:
        """Put the functions of `plugin`, a module or object, around those that are there.

        Resources that are bound already stay as they are.

        Raises:
            PluginError: one of its functions is not what a wrapper must be.

        """
        self._around().register(plugin, getattr(plugin, "__name__", type(plugin).__name__), "")

    def wraps(self, verb: str) -> bool:
        """Whether a plugin stands around `verb`."""
        return bool(self._around().around[verb])

    def bind(self, resource: "Resource", verb: str) -> Callable[..., Any]:
        """Return the method `verb` of `resource` with the wrappers around it.

        Without any it is the method itself, plain or async; with some it is a coroutine function
        that takes the same arguments, and for `watch` a plain function.

        Raises:
            AttributeError: the kind does not implement it.

        """
        return self._around().bind(resource, verb)

    def blame(self, kind: "type[Resource]") -> str:
        """Return whose `kind` is, and its place: "setpoint-file 0.1.0 (setpoint_file.py:12)"."""
        origin = self._origins[kind].origin if kind in self._origins else kind.__name__
        return f"{origin} ({place_of_class(kind)})"

    def _claims(self, group: str) -> _Claims:
        """Return which entry points there are in `group`, by name."""
        if not self._groups:
            self._scan()
        return self._groups[group]

    def _scan(self) -> None:
        """Look what is installed, and sort it."""
        found = merge(scan_all(sys.path if self._path is None else self._path, self._cache))
        self._groups = {group: {} for group in GROUPS}
        for entry in found.entries:
            point = EntryPoint(*entry[1:])
            if point.distribution not in self._block:
                claims = self._groups[entry.group].setdefault(point.name, [])
                claims.extend([] if point in claims else [point])
        for fault in found.garbled:
            if fault.distribution not in self._block:
                origin = f"{fault.distribution} {fault.version}".rstrip()
                self._report(PluginError(origin, fault.what, "tell its author, or uninstall it"))

    def _first_of(self, group: str) -> dict[str, EntryPoint]:
        return {name: points[0] for name, points in self._claims(group).items()}

    def _class(self, group: str, name: str, faults: "_Faults") -> Any:
        """Return the class that `name` of `group` is, imported and checked once."""
        known = self._checked.get((group, name))
        if isinstance(known, PluginError):
            raise known.with_traceback(None)
        if known is None:
            try:
                known = self._imported(group, name)
                point = self._claims(group)[name][0]
                _refuse(point.origin, _called(group, name), known, faults(known, name))
            except PluginError as error:
                self._checked[group, name] = error
                raise
            self._checked[group, name] = known
            self._origins[known] = point
        return known

    def _imported(self, group: str, name: str) -> Any:
        """Return the object that `name` of `group` is, if just one distribution brings it."""
        points = self._claims(group)[name]
        if len(points) > 1:
            both = " and ".join(f"{point.origin} ({point.target})" for point in points)
            raise PluginError(
                "",
                f"{_called(group, name)} comes from both {both}",
                "uninstall or block one of them",
            )
        return load(points[0], _called(group, name))

    def _around(self) -> "Wrappers":
        """Return the wrapper plugins, imported by now."""
        if self._wrappers is None:
            from setpoint.plugins.wrappers import Wrappers

            self._wrappers = Wrappers()
            for points in self._claims("setpoint.plugins").values():
                for point in points:
                    self._wrap(self._wrappers, point)
        return self._wrappers

    def _wrap(self, wrappers: "Wrappers", point: EntryPoint) -> None:
        """Put an installed plugin around verbs; leave it out if it is broken."""
        try:
            plugin = load(point, _called("setpoint.plugins", point.name))
            wrappers.register(plugin, point.name, point.origin)
        except PluginError as error:
            self._report(error)

    def _report(self, problem: PluginError) -> None:
        """Keep `problem`, and warn of it: the rest goes on."""
        import logging

        self.problems.append(problem)
        logging.getLogger(__name__).warning("%s", problem)


def _called(group: str, name: str) -> str:
    """Return how a message names what `group` calls `name`: "kind file"."""
    return f"{_WORDS[group]} {name}"


def _refuse(origin: str, called: str, thing: object, faults: "Iterator[Fault]") -> None:
    """Raise the first of the faults of `thing`, if there is one."""
    for fault in faults:
        where = fault.place or (place_of_class(thing) if isinstance(thing, type) else "")
        what = f"{called}: {fault.what}"
        raise PluginError(origin, f"{what} ({where})" if where else what, fault.cure)
