"""`@graph`: a function that declares a graph with all of Python, and runs again when a fact that it read changes."""

from collections.abc import Callable, Iterator, Mapping
from types import CodeType, TracebackType
from typing import TYPE_CHECKING, Any, overload

from setpoint.declarations.facts import wanted
from setpoint.errors import GraphError, Place, Problem, SetpointError
from setpoint.expressions import UNKNOWN
from setpoint.graph import Graph as Built
from setpoint.graphfile.causes import Read
from setpoint.graphfile.files import File
from setpoint.graphfile.form import Form
from setpoint.graphfile.known import Known
from setpoint.graphfile.live import Live
from setpoint.ids import Wild
from setpoint.program.blocks import Block, within
from setpoint.program.places import Program
from setpoint.program.reading import NotKnownYet, Reading, read_by
from setpoint.program.running import Runnable
from setpoint.program.writing import Writing

if TYPE_CHECKING:
    from setpoint.clock import Clock
    from setpoint.plugins import Plugins
    from setpoint.resource import Fact
    from setpoint.sharing import Shared

_ANYTHING = Wild(("", ""))


class Function(Runnable):
    """A `@graph` function, which can be run, applied and planned like a `Graph`."""

    def __init__(
        self, declare: Callable[[], None], name: str, plugins: "Plugins | None", automatic: bool
    ) -> None:
        super().__init__(plugins, automatic)
        self.declare, self.name = declare, name
        self.__doc__ = declare.__doc__

    def live(self, clock: "Clock | None" = None) -> "Rerun":
        """Return what it declares, to be run with what is known.

        Raises:
            GraphError: with all that is wrong in what it declares before it reads a fact.

        """
        return Rerun(self, clock)


class Rerun:
    """A function that declares a graph, each time anew; in a thread, so that it may read files.

    While a fact that it reads is not known, nothing is known of its graph: what runs stays as it is.

    facts, graph, troubles, wake_at, shares, because: as those of `graphfile.Live`.
    """

    def __init__(self, function: Function, clock: "Clock | None") -> None:
        self._function, self._clock = function, clock
        self.graph = Built(function.name)
        self.graph.undecided.add(_ANYTHING)  # so that nothing is put back that was there before
        self.facts: Mapping[str, Fact] = {}
        self.troubles: list[Problem] = []
        self.wake_at: float | None = None
        self.shares: Shared | None = None
        self._values: tuple[Mapping[str, Any], Mapping[str, Any]] = {}, {}  # before, and now
        self.evaluate({})

    def because(self, id_: str) -> dict[str, Read]:
        """Return the facts that the function has read, with their values before and now: all depends on them."""
        before, now = self._values
        return {
            f"facts.{name}": Read(before.get(name, UNKNOWN), now.get(name, UNKNOWN))
            for name in self.facts
        }

    def evaluate(self, values: Mapping[str, Any]) -> Built:
        """Run the function with `values`, those of the facts that are known; return its graph.

        Raises:
            GraphError: the function raised an error, or what it declares is wrong.

        """
        self._values = self._values[1], values
        function, known = self._function, Reading(values)
        writing = Writing(function.name, {}, Program(_code(function)))
        try:
            with within(Block(writing)), read_by(known):
                function.declare()
        except NotKnownYet:
            self._reads(writing, known)
            return self.graph
        except SetpointError:
            raise
        except Exception as error:
            raise GraphError([_raised(function, error)]) from error
        live = Live(
            writing.files(),
            writing.declarations(),
            function.plugins,
            automatic=function.automatic,
            clock=self._clock,
        )
        self._reads(writing, known)
        self.facts = {**self.facts, **live.facts}
        self.graph = live.evaluate(values) if live.facts else live.graph
        self.troubles, self.shares = live.troubles, live.shares
        return self.graph

    def _reads(self, writing: Writing, known: Reading) -> None:
        """Want the facts that were read."""
        declarations = writing.declarations()
        form = Form(File(writing.source, writing.known()), Known())
        for _, part in form.evaluate(set()):
            declarations.add(part)
        for name, at in known.places.items():
            declarations.reads[name,] = writing.source, at
        found = wanted(declarations, self._function.plugins, declarations.problems)
        declarations.refuse(declarations.problems)
        self.facts = found


def _code(function: Function) -> CodeType | None:
    """Return the code of `function`; None if it has none, as an object that can be called."""
    return getattr(function.declare, "__code__", None)


def _raised(function: Function, error: Exception) -> Problem:
    """Return what went wrong in `function`, at the last line of it that ran."""
    code = _code(function)
    lines = [
        frame.tb_lineno
        for frame in _frames(error.__traceback__)
        if frame.tb_frame.f_code is code and frame.tb_lineno is not None
    ]
    place = Place(code.co_filename, lines[-1]) if code is not None and lines else Place("")
    return Problem(place, f"@graph {function.name}: {type(error).__name__}: {error}")


def _frames(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


@overload
def graph(declare: Callable[[], None], /) -> Function: ...


@overload
def graph(
    *, name: str = "", plugins: "Plugins | None" = None, automatic: bool = True
) -> Callable[[Callable[[], None]], Function]: ...


def graph(
    declare: Callable[[], None] | None = None,
    /,
    *,
    name: str = "",
    plugins: "Plugins | None" = None,
    automatic: bool = True,
) -> Any:
    """Make a graph of a function, which declares resources with all of Python.

    Facts have their values in it, and the function is run again when one of those changes that it has read; it is
    run in a thread. While one is not known, what runs stays as it is.

    Args:
        declare: the function.
        name: of the graph; by default that of the function.
        plugins: what is installed, if something else than what Python finds.
        automatic: whether to add the edges too that follow from what resources are.

    """

    def made(declare: Callable[[], None]) -> Function:
        return Function(declare, name or declare.__name__, plugins, automatic)

    return made if declare is None else made(declare)
