"""Whether a class is what its entry point promises: each check yields what is not, and a cure."""

import inspect
import re
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import pluggy

from setpoint import hookspecs
from setpoint.errors import suggest
from setpoint.hookspecs import CONTRACT, VERBS
from setpoint.plugins.loading import place_of
from setpoint.resource import Fact, Resource
from setpoint.values import Values

_NAME = re.compile(r"[a-z][a-z0-9_-]*(:[a-z][a-z0-9_-]*)*")
_AROUND = ("resource", "proceed")  # what only a wrapper takes
_WORDS = frozenset(  # one letter from a verb, and good names for helpers
    ("batch", "catch", "checks", "end", "hatch", "latch", "match", "mend", "patch", "sent", "spend")
)
_NO_VALUE = {  # what a function of this form returns is not what the verb stands for
    inspect.CO_GENERATOR: "a generator",
    inspect.CO_ASYNC_GENERATOR: "an async generator",
    inspect.CO_COROUTINE: "a coroutine",
}


marks_of = pluggy.PluginManager("setpoint").parse_hookimpl_opts  # of an object and a name in it


def _taken(spec: Any) -> tuple[str, ...]:
    names = spec.__code__.co_varnames[: spec.__code__.co_argcount]
    return tuple(name for name in names if name not in _AROUND)


ARGUMENTS = {verb: _taken(getattr(hookspecs, verb)) for verb in VERBS}


class Fault(NamedTuple):
    """Something in a plugin that cannot be right.

    place: its file and line; "" is that of the class or module as a whole.
    """

    what: str
    cure: str
    place: str = ""


def faults_of_kind(kind: object, name: str) -> Iterator[Fault]:
    """Yield what stands against using `kind` as the kind `name`; the first is the most telling."""
    yield from faults_of_contract(kind)
    if not (isinstance(kind, type) and issubclass(kind, Resource)):
        yield Fault(f"must be a subclass of setpoint.Resource, not {_shown(kind)}", "write one")
        return
    yield from _faults_of_name(kind, name)
    for field in kind.__struct_fields__:
        if field in VERBS:
            yield Fault(
                f"{field!r} is a verb, and cannot be a param", "give the param another name"
            )
    for method, value in _members(kind):
        yield from _faults_of_method(kind, method, value)
    yield from _faults_of_sends(kind)
    if kind.check is Resource.check and kind.check_apply is Resource.check_apply:
        yield Fault("implements neither check nor check_apply", "implement check")


def faults_of_fact(fact: object, name: str) -> Iterator[Fault]:
    """Yield what stands against using `fact` as the fact `name`; the first is the most telling."""
    yield from faults_of_contract(fact)
    if not (isinstance(fact, type) and issubclass(fact, Fact)):
        yield Fault(f"must be a subclass of setpoint.Fact, not {_shown(fact)}", "write one")
        return
    yield from _faults_of_name(fact, name)
    if fact.watch is Fact.watch:
        yield Fault("does not implement watch", "yield the values there")
    elif (code := code_of(fact.watch)) and code.co_flags & inspect.CO_COROUTINE:
        yield Fault("watch must yield values, not return one", "use yield", place_of(code))


def _shown(thing: object) -> str:
    if isinstance(thing, type):
        return f"the class {thing.__name__}"
    name = type(thing).__name__
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def faults_of_contract(thing: object) -> Iterator[Fault]:
    """Yield if `thing`, or its module, was written for another contract than ours."""
    module = sys.modules.get(str(getattr(thing, "__module__", "")))
    needed = getattr(thing, "setpoint_contract", getattr(module, "setpoint_contract", CONTRACT))
    if type(needed) is not int:
        yield Fault(
            f"setpoint_contract must be a whole number, not {needed!r}",
            f"write setpoint_contract = {CONTRACT}",
        )
    elif needed != CONTRACT:
        older = "setpoint" if needed > CONTRACT else "the plugin"
        yield Fault(f"needs contract {needed}, this setpoint has {CONTRACT}", f"upgrade {older}")


def _faults_of_name(kind: type[Resource] | type[Fact], name: str) -> Iterator[Fault]:
    """Yield if `kind` and its entry point do not agree on a good name."""
    if not _NAME.fullmatch(name):
        yield Fault(
            f"a kind is written in lower case with colons between its parts, not {name!r}",
            "rename the entry point",
        )
    said = getattr(kind, "kind", None)
    if said != name:
        yield Fault(
            f"its kind must be that of its entry point, not {said!r}", f"write kind = {name!r}"
        )


def _members(kind: type) -> Iterator[tuple[str, object]]:
    """Yield the names and values that `kind` and its bases define beyond `Resource`."""
    for base in kind.__mro__:
        if base not in Resource.__mro__:
            yield from vars(base).items()


def _faults_of_method(kind: type, name: str, value: object) -> Iterator[Fault]:
    """Yield if `value`, called `name` in the class `kind`, is a verb gone wrong."""
    code = code_of(value)
    where = place_of(code) if code else ""
    marks = marks_of(kind, name)
    if name in VERBS:
        if marks and any(marks.values()):
            yield Fault(f"{name}: @hookimpl takes no options on a kind", "leave them out", where)
        yield from _faults_of_verb(name, value, where)
    elif marks is not None:
        yield Fault(f"{name} is marked @hookimpl, and no verb", suggest(name, VERBS), where)
    elif code and name not in _WORDS and name[0] != "_":  # a helper's name is no verb's
        for verb in (*VERBS, "check", "apply"):
            if name != verb and is_one_typo(name, verb):
                yield Fault(
                    f"{name} is one letter from the verb {verb}", f"write {verb}, or _{name}", where
                )


def _faults_of_verb(verb: str, value: object, where: str) -> Iterator[Fault]:
    """Yield if the method `value` cannot be called as `verb`, or does not give what it should."""
    if not callable(value):
        yield Fault(f"{verb} must be a method, not {_shown(value)}", "give it another name")
        return
    if not isinstance(value, FunctionType):
        return  # a decorator's own object: what it takes shows when it is called
    code = value.__code__
    wanted = ("self", *ARGUMENTS[verb])
    if not _takes(value, len(wanted), ARGUMENTS[verb]):
        found = ", ".join(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
        yield Fault(
            f"{verb} must take ({', '.join(wanted)}), not ({found})", "correct its arguments", where
        )
    yield from faults_of_form(verb, code)


def _takes(function: FunctionType, count: int, names: tuple[str, ...]) -> bool:
    """Whether `function` can be called with self and `names`, and with nothing more."""
    code = function.__code__
    if code.co_flags & inspect.CO_VARARGS:
        return True  # a decorator that hands on what it is given
    positional = code.co_varnames[: code.co_argcount]
    required = code.co_argcount - len(function.__defaults__ or ())
    keywords = code.co_kwonlyargcount - len(function.__kwdefaults__ or {})
    fits = len(positional) >= count and positional[1:count] == names
    return fits and required <= count and not keywords


def faults_of_form(verb: str, code: CodeType) -> Iterator[Fault]:
    """Yield if a function of this form cannot give what `verb` stands for."""
    wrong = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
    cure = "return its value"
    if verb == "watch":
        wrong = inspect.CO_GENERATOR | inspect.CO_COROUTINE
        cure = "write `async def` with yield, or `def` that returns a subscription"
    for flag, form in _NO_VALUE.items():
        if code.co_flags & wrong & flag:
            yield Fault(f"{verb} must not be {form}", cure, place_of(code))


def _faults_of_sends(kind: type[Resource]) -> Iterator[Fault]:
    """Yield if what `kind` sends and the type it declares for that do not go together."""
    sends: object = kind.Sends
    if sends is None:
        if hasattr(kind, "send"):
            yield Fault("has send, and no Sends", "declare what it sends: class Sends(Values)")
    elif not (isinstance(sends, type) and issubclass(sends, Values)):
        yield Fault(
            f"Sends must be a subclass of setpoint.Values, not {_shown(sends)}", "derive it"
        )
    elif not hasattr(kind, "send"):
        yield Fault("has Sends, and no send", "implement send")


def code_of(value: object) -> CodeType | None:
    """Return the code of a function, also of one within decorators or a method; None of else."""
    function = inspect.unwrap(value) if callable(value) else value
    function = getattr(function, "__func__", function)
    return function.__code__ if isinstance(function, FunctionType) else None


def is_one_typo(word: str, meant: str) -> bool:
    """Whether `word` is `meant` with a letter lost, added or replaced, or two of them swapped."""
    if len(word) > len(meant):
        word, meant = meant, word
    same = 0
    while same < len(word) and word[same] == meant[same]:
        same += 1
    rest, wanted = word[same:], meant[same:]
    if len(word) == len(meant):
        return rest[1:] == wanted[1:] or (rest[1::-1], rest[2:]) == (wanted[:2], wanted[2:])
    return rest == wanted[1:]
