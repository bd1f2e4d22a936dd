"""What an expression over facts is, told each time that it is something else."""

import asyncio
import os
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from setpoint.declarations import Declarations, FactDeclaration, Source
from setpoint.declarations.facts import told, wanted
from setpoint.errors import SetpointError
from setpoint.expressions import UNKNOWN, Expression, ExpressionError, State
from setpoint.following import Facts, why
from setpoint.hiding import Secrets
from setpoint.host import Host
from setpoint.plugins import Plugins

SILENT = 3.0  # seconds after which it is said what is not known yet

_SHORT = re.compile(r"(?!(?:facts|env)\b)[a-z]\w*(?:\.\w+)*", re.ASCII)  # of facts.load.x1


class Asked:
    """An expression over facts that somebody has asked for.

    Args:
        text: the expression; "load.x1" is short for facts.load.x1.
        name: what its one fact is about; empty for facts that have one value only.
        params: those of its one fact.
        plugins: where facts come from.

    expression: what is to be evaluated.
    facts: those that it reads, by name.

    Raises:
        GraphError: with all that is wrong, each with a caret.

    """

    def __init__(self, text: str, name: str, params: Mapping[str, Any], plugins: Plugins) -> None:
        self._source = Source("", f"facts.{text}" if _SHORT.fullmatch(text) else text)
        into = Declarations()
        try:
            self.expression = Expression(self._source.text)
        except ExpressionError as error:
            into.refuse([self._source.problem(error.start, str(error))])
        self._read(into)
        names = dict.fromkeys(path[0] for path in into.reads)
        if (name or params) and len(names) != 1:
            what = f"a name and -p are for one fact, and {text!r} reads {len(names)}"
            raise SetpointError(f"{what}; write them into facts: of a graph file")
        for fact in names if name or params else ():
            into.facts[fact] = FactDeclaration(fact, name, params, self._source, 0)
        self.facts = wanted(into, plugins, into.problems)
        into.refuse(into.problems)

    def _read(self, into: Declarations) -> None:
        for path in self.expression.paths:
            at = self._source.locate(0, ".".join(path), len(self._source.text))
            if path[0] == "facts" and len(path) == 1:
                into.problems.append(self._source.problem(at, "a fact is named; write facts.NAME"))
            elif path[0] == "facts":
                into.reads.setdefault(path[1:], (self._source, at))
            elif path[0] != "env":
                what = f"{path[0]!r} is known in a graph file only; there are facts and env"
                into.problems.append(self._source.problem(at, what))

    def wrong(self, error: ExpressionError) -> str:
        """Return what is wrong with the expression now, with a caret."""
        return str(self._source.problem(max(error.start, 0), str(error)))


class Telling:
    """Tells what `asked` is.

    Args:
        asked: what to follow.
        host: this machine.
        tell: called with the value, once it is known and then whenever it is evaluated.
        warn: called with what keeps it from being known.
        follow: whether to go on after the first value.
        secrets: learns what is secret in facts.

    """

    def __init__(
        self,
        asked: Asked,
        host: Host,
        tell: Callable[[Any], None],
        warn: Callable[[str], None],
        *,
        follow: bool,
        secrets: Secrets | None = None,
    ) -> None:
        self._asked, self._tell, self._warn, self._follow = asked, tell, warn, follow
        self._clock, self._state = host.clock, State(host.clock)
        self._facts = Facts(lambda _: self._evaluate(), self._failed, secrets)
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._told = ""
        for fact_name, fact in asked.facts.items():
            fact._host = host
            fact.call(told(fact_name))

    async def run(self) -> None:
        """Go on until the first value is told, or for ever.

        Raises:
            SetpointError: it has no value.
            OSError: of `tell`, when it could not be told.

        """
        silent = self._loop.call_later(SILENT, self._say_what_is_silent)
        self._facts.want(self._asked.facts)
        self._evaluate()
        try:
            await self._done
        finally:
            silent.cancel()
            if self._timer is not None:
                self._timer.cancel()
            await self._facts.close()

    def _evaluate(self) -> None:
        if self._done.done():
            return
        try:
            value = self._asked.expression.evaluate(self._names(), state=self._state)
        except ExpressionError as error:
            self._wrong(SetpointError(self._asked.wrong(error)))
        else:
            if value is not UNKNOWN:
                self._told = ""
                self._show(value)
        self._wake()

    def _show(self, value: Any) -> None:
        try:
            self._tell(value)
        except OSError as error:  # nobody reads it any more, which is no fault of the fact
            self._done.set_exception(error)
        else:
            if not self._follow:
                self._done.set_result(None)

    def _names(self) -> dict[str, Any]:
        known = {name: self._facts.values.get(name, UNKNOWN) for name in self._asked.facts}
        return {"facts": known, "env": MappingProxyType(os.environ)}

    def _wake(self) -> None:
        """Evaluate it again when a function over time wants that; end if it is always the same."""
        if self._timer is not None:
            self._timer.cancel()
        at = self._state.wake_at
        if at is not None:
            self._timer = self._loop.call_later(
                max(0, at - self._clock.monotonic()), self._evaluate
            )
        elif not self._asked.facts and not self._done.done():
            self._done.set_result(None)

    def _failed(self, name: str, error: BaseException, again: float) -> None:
        when = f"looked at again in {again:g} s" if again >= 0 else "not looked at again"
        self._wrong(SetpointError(f"facts.{name}: {why(error)}; {when}"))

    def _wrong(self, error: SetpointError) -> None:
        if self._done.done():
            return
        is_always = not self._asked.facts and self._state.wake_at is None
        if is_always or not self._follow:
            self._done.set_exception(error)
        elif str(error) != self._told:
            self._told = str(error)
            self._warn(self._told)

    def _say_what_is_silent(self) -> None:
        silent = [f"facts.{name}" for name in self._asked.facts if name not in self._facts.values]
        if silent:
            self._warn(f"not known yet: {', '.join(silent)}")
