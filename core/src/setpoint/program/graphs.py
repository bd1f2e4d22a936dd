"""`Graph`: resources that a Python program declares, with expressions that follow the machine."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Self

from setpoint.graphfile.live import Live
from setpoint.program.blocks import Block, within
from setpoint.program.places import Program
from setpoint.program.running import Runnable
from setpoint.program.writing import Writing

if TYPE_CHECKING:
    from setpoint.clock import Clock
    from setpoint.plugins import Plugins


class Graph(Runnable):
    """A graph that a program declares: what is within `with Graph() as g` belongs to it.

    Args:
        name: it may be left out.
        plugins: what is installed, if something else than what Python finds.
        automatic: whether to add the edges too that follow from what resources are.
        sections: other sections of a graph file, such as `defaults`, with their values.

    """

    def __init__(
        self,
        name: str = "",
        *,
        plugins: "Plugins | None" = None,
        automatic: bool = True,
        **sections: Any,
    ) -> None:
        super().__init__(plugins, automatic)
        self.name = name
        self.writing = Writing(name, sections, Program())
        self._entered: list[AbstractContextManager[None]] = []

    def __enter__(self) -> Self:
        self._entered.append(within(Block(self.writing)))
        self._entered[-1].__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._entered.pop().__exit__(*error)

    def live(self, clock: "Clock | None" = None) -> Live:
        """Return what is declared by now, to be evaluated with what is known.

        Raises:
            GraphError: with all that is wrong whatever the facts are.

        """
        writing = self.writing
        return Live(
            writing.files(),
            writing.declarations(),
            self.plugins,
            automatic=self.automatic,
            clock=clock,
        )

    def to_yaml(self) -> str:
        """Return the same graph as a graph file.

        Raises:
            GraphError: an id is declared more than once, which a file cannot.
            TypeError: a secret is in it.

        """
        from setpoint.graphfile.convert import dumped

        return dumped(self.writing.tree())
