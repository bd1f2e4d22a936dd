"""Random graphs as data, with all that the model asks of them, and small changes to them."""

import msgspec
from hypothesis import strategies as st

from setpoint import Meta
from setpoint.graph import Edge, Graph
from setpoint.values import Ref, Text

from .random_world import KINDS

POOL = (
    *("quick 0", "plain 1", "slow 2", "mute 3", "quick 4", "dumb 5"),
    *("slow 6", "plain 7", "quick 8", "plain 9", "slow 10", "mute 11"),
)
METAS = (
    *(Meta(), Meta(), Meta(), Meta(), Meta(retry=1), Meta(retry=2, delay=0.5, retry_reset=True)),
    *(Meta(sema=("one",)), Meta(sema=("one", "two:2")), Meta(limit=5, burst=2)),
)
SORTS = ("order", "hold", "fire", "drop", "ref", "text", "ref hold")  # of edges


class Plan(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """A graph as data: what is in it, in an order in which all edges lead forward."""

    order: tuple[str, ...]
    values: dict[str, int]
    metas: dict[str, Meta]
    edges: dict[tuple[str, str], str]  # sort

    def __repr__(self) -> str:
        nodes = [f"{n}={self.values[n]} meta {METAS.index(self.metas[n])}" for n in self.order]
        edges = [f"{a} {self.edges[a, b]}> {b}" for a, b in self.all_edges]
        return f"Plan({nodes}, {edges})"

    def pick(self, pick: int) -> str:
        return self.order[pick % len(self.order)]

    def between(self, *sorts: str) -> list[tuple[str, str]]:
        here = [pair for pair in self.edges if set(pair) <= set(self.order)]
        return [
            (a, b)
            for a, b in here
            if self.order.index(a) < self.order.index(b)
            and any(sort in self.edges[a, b] for sort in sorts)
        ]

    @property
    def all_edges(self) -> list[tuple[str, str]]:
        return self.between("")

    def policy(self, a: str, b: str) -> str | None:
        return next((p for p in ("hold", "fire", "drop") if p in self.edges[a, b]), None)

    def listeners(self, n: str) -> dict[str, str]:
        pairs = self.between("hold", "fire", "drop")
        return {b: self.policy(a, b) or "" for a, b in pairs if a == n}

    def required(self, s: str) -> list[str]:
        return [a for a, b in self.all_edges if b == s]

    def sender(self, s: str) -> tuple[str, str] | None:
        """Return from whom `s` receives, and as what."""
        return next(((a, self.edges[a, b]) for a, b in self.between("ref", "text") if b == s), None)

    def above(self, s: str) -> set[str]:
        """Return what must have run before `s` does, in whatever way it is required."""
        found: set[str] = set()
        stack = [s]
        while stack:
            s = stack.pop()
            firm = [p for p in self.required(s) if self.edges[p, s] != "fire"]
            stack += [p for p in firm if p not in found]
            found |= set(firm)
        return found

    def receives(self, s: str) -> dict[str, Ref | Text]:
        found = self.sender(s)
        if found is None:
            return {}
        ref = Ref(found[0], "value")
        return {"value": Text(("<", ref, ">")) if found[1] == "text" else ref}

    def graph(self) -> Graph:
        graph = Graph()
        for key in self.order:
            kind, name = key.split()
            received = self.receives(key)
            graph.add(
                KINDS[kind](
                    name, value=None if received else self.values[key], meta=self.metas[key]
                )
            )
            if received:
                graph.receives[key] = received
        for a, b in self.all_edges:
            graph.connect(Edge(a, b, self.policy(a, b)))
        return graph


picks = st.integers(0, len(POOL) - 1)  # of what the graph has at that time, counted round


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    order = draw(st.permutations(POOL))[: draw(st.integers(1, len(POOL)))]
    values = {n: draw(st.integers(0, 1)) for n in POOL}
    metas = {n: draw(st.sampled_from(METAS)) for n in POOL}
    place = st.integers(0, len(order) - 1)
    edges = {}
    for a, b in draw(st.lists(st.tuples(place, place), max_size=2 * len(order))):
        if a != b:
            edges[order[min(a, b)], order[max(a, b)]] = draw(st.sampled_from(SORTS))
    return Plan(tuple(order), values, metas, edges)


def tweaked(plan: Plan, pick: int, other: int, sort: str) -> Plan:
    """Return `plan` with one thing different; `sort` says what."""
    replace = msgspec.structs.replace
    n = plan.pick(pick)
    if sort == "go":
        return replace(plan, order=tuple(x for x in plan.order if x != n) or (POOL[other],))
    if sort == "come":
        new = POOL[pick]
        return replace(plan, order=(*(x for x in plan.order if x != new), new))
    if sort == "value":
        return replace(plan, values={**plan.values, n: plan.values[n] + 1})
    if sort == "meta":
        return replace(plan, metas={**plan.metas, n: METAS[other % len(METAS)]})
    first, then = sorted((n, plan.pick(other)), key=plan.order.index)
    left = {pair: kept for pair, kept in plan.edges.items() if pair != (first, then)}
    if first != then and sort != "cut":
        left[first, then] = sort
    return replace(plan, edges=left)


tweaks = st.tuples(picks, picks, st.sampled_from(("go", "come", "value", "meta", "cut", *SORTS)))
