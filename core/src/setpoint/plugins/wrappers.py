"""Wrapper plugins: functions of one plugin that stand around a verb of every resource.

pluggy registers them, sorts them and says what arguments each takes. It does not call them: its own
wrappers see a coroutine that nobody has awaited, and cannot change an argument. So each resource's
method gets its wrappers around it once, when it is bound:

    layer(apply)                         the outermost wrapper, registered last
        function(resource, proceed)      as the plugin wrote it
            proceed() -> layer(apply)    the next one, down to
                -> run(apply)            the method itself, awaited or in a worker thread
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import CodeType
from typing import Any, NamedTuple

import pluggy

from setpoint import hookspecs
from setpoint.errors import PluginError, suggest
from setpoint.hookspecs import VERBS
from setpoint.plugins.checks import (
    ARGUMENTS,
    Fault,
    code_of,
    faults_of_contract,
    faults_of_form,
    marks_of,
)
from setpoint.plugins.loading import frames, place_of
from setpoint.resource import Resource, call
from setpoint.values import Values

_Verb = Callable[..., Any]
_RETURNS = {"check_apply": (list, "a list of changes"), "send": (Values, "the kind's Sends")}


class Wrapper(NamedTuple):
    """One function of a plugin around one verb."""

    verb: str
    impl: pluggy.HookImpl
    name: str  # of the plugin
    origin: str  # its distribution and version
    place: str  # file:line

    def awaitable(self, value: Any) -> Any:
        """Return `value`, what the function returned, if it can be awaited."""
        if hasattr(value, "__await__"):
            return value
        raise self.refused(value, "an awaitable", "return proceed(), or use async def")

    def refused(self, value: Any, wanted: str, cure: str) -> PluginError:
        """Return the error that the function returned `value`."""
        what = f"wrapper {self.name}: {self.verb} returned {value!r}, not {wanted}"
        return PluginError(self.origin, f"{what} ({self.place})", cure)

    def blame(self, error: Exception) -> None:
        """Say in `error` that it came up in this function, unless it did so below `proceed`."""
        files = [link.tb_frame.f_code.co_filename for link in frames(error.__traceback__)]
        if __file__ not in files[1:]:  # what comes from below passed through a layer of this module
            whose = f"{self.name} of {self.origin}" if self.origin else self.name
            error.add_note(f"in the wrapper {whose}, around {self.verb} ({self.place})")


class Wrappers:
    """The wrapper plugins in use, validated, innermost first for each verb."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager("setpoint")
        self._manager.add_hookspecs(hookspecs)
        self._named: dict[str, tuple[str, str]] = {}  # by what pluggy calls it: name and origin
        self.around: dict[str, tuple[Wrapper, ...]] = dict.fromkeys(VERBS, ())

    def register(self, plugin: object, name: str, origin: str) -> None:
        """Put the hooks of `plugin` around those that are there; once, if it comes twice.

        Raises:
            PluginError: one of them is not what it should be; none is used.

        """
        for fault in faults_of_wrapper(plugin):
            where = f" ({fault.place})" if fault.place else ""
            raise PluginError(origin, f"wrapper {name}: {fault.what}{where}", fault.cure)
        if not self._manager.is_registered(plugin):
            key = str(len(self._named))
            self._named[key] = (name, origin)
            self._manager.register(plugin, key)
            self.around = {verb: tuple(self._of(verb)) for verb in VERBS}

    def bind(self, resource: Resource, verb: str) -> _Verb:
        """Return the method `verb` of `resource` with its wrappers around it, or itself."""
        method: _Verb = getattr(resource, verb)
        wrappers = self.around[verb]
        if not wrappers:
            return method
        if verb == "watch":
            inner, layer = method, _at_once
        else:
            inner, layer = _innermost(resource, verb, method), _awaited
        for wrapper in wrappers:
            inner = layer(wrapper, resource, inner)
        return inner

    def _of(self, verb: str) -> Iterator[Wrapper]:
        for impl in getattr(self._manager.hook, verb).get_hookimpls():
            code = code_of(impl.function)
            where = place_of(code) if code else ""
            yield Wrapper(verb, impl, *self._named[impl.plugin_name], where)


def _innermost(resource: Resource, verb: str, method: _Verb) -> _Verb:
    """Return the coroutine function that runs `method`, in a worker thread if it is a plain one."""
    wanted, words = _RETURNS.get(verb, (object, ""))
    is_plain = not inspect.iscoroutinefunction(method)
    started = partial(_threaded, resource, method) if is_plain else method

    async def run(*args: Any, **given: Any) -> Any:
        value = await started(*args, **given)
        if isinstance(value, wanted):
            return value
        raise TypeError(f"{resource}: {verb} returned {value!r}, not {words}")

    return run


async def _threaded(resource: Resource, method: _Verb, *args: Any, **given: Any) -> Any:
    return await call(resource, partial(method, *args, **given))


def _awaited(wrapper: Wrapper, resource: Resource, inner: _Verb) -> _Verb:
    """Return the coroutine function that is `wrapper` around `inner`."""
    names, function, takes = ARGUMENTS[wrapper.verb], wrapper.impl.function, wrapper.impl.argnames

    wanted, words = _RETURNS.get(wrapper.verb, (object, ""))

    async def layer(*args: Any, **given: Any) -> Any:
        if args:
            given.update(zip(names, args, strict=False))
        given["proceed"], given["resource"] = partial(inner, **given), resource
        try:
            value = await wrapper.awaitable(function(*[given[name] for name in takes]))
        except Exception as error:
            wrapper.blame(error)
            raise
        if isinstance(value, wanted):
            return value
        raise wrapper.refused(value, words, "return what proceed() gives")

    return layer


def _at_once(wrapper: Wrapper, resource: Resource, inner: _Verb) -> _Verb:
    """Return the function that is `wrapper` around `inner`, for a verb that is not awaited."""
    offered = {"resource": resource, "proceed": inner}
    arguments = [offered[name] for name in wrapper.impl.argnames]

    def layer() -> Any:
        try:
            return wrapper.impl.function(*arguments)
        except Exception as error:
            wrapper.blame(error)
            raise

    return layer


def faults_of_wrapper(plugin: object) -> Iterator[Fault]:
    """Yield what stands against putting the functions of `plugin` around verbs."""
    yield from faults_of_contract(plugin)
    hooks = 0
    for name in dir(plugin):
        marks = marks_of(plugin, name)
        if marks is not None:
            hooks += 1
            yield from _faults_of_hook(getattr(plugin, name), marks["specname"] or name, marks)
        elif name in VERBS:
            code = code_of(inspect.getattr_static(plugin, name))
            if code and "proceed" in code.co_varnames[: code.co_argcount]:
                yield Fault(f"{name} is not marked", "write @hookimpl above it", place_of(code))
    if not hooks:
        yield Fault(
            "implements no hook", "mark its functions @hookimpl, or take out its entry point"
        )


def _faults_of_hook(function: _Verb, verb: str, marks: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield if `function` cannot stand around `verb`."""
    code = code_of(function)
    if code is None:
        yield Fault(f"{verb} must be a function", "write it with def")
    elif verb not in VERBS:
        if not marks["optionalhook"]:
            yield Fault(f"there is no hook {verb!r}", suggest(verb, VERBS), place_of(code))
    elif marks["wrapper"] or marks["hookwrapper"]:
        yield Fault(
            f"{verb} must be a function that takes proceed, not wrapper=True",
            "write `return await proceed()` where it yields",
            place_of(code),
        )
    else:
        yield from _faults_of_arguments(verb, function, code)
        yield from faults_of_form(verb, code)


def _faults_of_arguments(verb: str, function: _Verb, code: CodeType) -> Iterator[Fault]:
    """Yield if `function` asks for what a wrapper around `verb` is not given."""
    known = ("resource", *ARGUMENTS[verb], "proceed")
    names = code.co_varnames[inspect.ismethod(function) : code.co_argcount + code.co_kwonlyargcount]
    positional = code.co_argcount - len(getattr(function, "__defaults__", None) or ())
    for number, name in enumerate(names, inspect.ismethod(function)):
        if name not in known:
            yield Fault(f"{verb} has no argument {name!r}", suggest(name, known), place_of(code))
        elif number >= positional:
            cure = f"write {name} without default, before any *"
            yield Fault(f"{verb} would never be given {name}", cure, place_of(code))
    if "proceed" not in names:
        yield Fault(
            f"{verb} must take proceed, or it would replace the verb of every resource",
            "take proceed, and call it",
            place_of(code),
        )
