"""What expressions name: facts, secrets, the environment, and what hosts share."""

from typing import Any

from setpoint.program.blocks import block
from setpoint.program.reading import reading
from setpoint.program.terms import ATOM, Expression


class Facts:
    """What is known of the machine: `facts.load.x1`, or `facts("file", "/etc/motd").content` of one about something.

    Within a `@graph` function it has the values themselves.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"there is no fact {name!r}")
        return self._of(name)

    def __call__(self, fact: str, about: str = "", **params: Any) -> Any:
        """Return what a fact tells that is about something.

        Args:
            fact: its kind.
            about: its name: a path, a pattern; the kind says what it means.
            params: others that it has.

        Raises:
            RuntimeError: it is called in no graph.

        """
        return self._of(block().writing.fact(fact, about, params))

    def _of(self, name: str) -> Any:
        known = reading()
        if known is None:
            return Expression(f"facts.{name}", ATOM)
        return known.value(name, block().writing.source.here())


facts: Any = Facts()
env, hosts, secrets, world = (
    Expression[Any](name, ATOM) for name in ("env", "hosts", "secrets", "world")
)
