"""Ids of resources, "KIND NAME", of which some are known in part only."""

import re
from collections.abc import Iterable

ANYTHING = frozenset("*?[]")  # what stands for other characters in a glob


class Wild:
    """Ids of which only parts are known.

    Args:
        texts: what is known, in order; between two of them there is something that is not.

    """

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = tuple(texts)
        self._pattern = re.compile(".+".join(map(re.escape, self.texts)), re.DOTALL)

    def fits(self, id_: str) -> bool:
        """Whether `id_` may be one of them."""
        return self._pattern.fullmatch(id_) is not None

    def meets(self, glob: str) -> bool:
        """Whether `glob` may fit one of them; it is taken to fit too much rather than too little."""
        mine: list[str] = []
        for text in self.texts:
            mine += ["*", *text] if mine else text
        others = ["*" if character in ANYTHING else character for character in glob]
        return _meet(mine, others)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Wild) and self.texts == other.texts

    def __hash__(self) -> int:
        return hash(self.texts)


class Ids:
    """Ids of resources, of which some are known in part only."""

    def __init__(self) -> None:
        self._exact: set[str] = set()
        self._wild: dict[Wild, None] = {}

    def add(self, one: str | Wild) -> None:
        """Add an id, or what is known of some."""
        if isinstance(one, str):
            self._exact.add(one)
        else:
            self._wild[one] = None

    def update(self, other: "Ids") -> None:
        """Add all of `other`."""
        self._exact |= other._exact
        self._wild |= other._wild

    def copy(self) -> "Ids":
        """Return what can be added to without changing this one."""
        made = Ids()
        made.update(self)
        return made

    def meet(self, glob: str) -> bool:
        """Whether `glob`, or the id that it is, may fit one of them."""
        return glob in self or any(wild.meets(glob) for wild in self._wild)

    def __contains__(self, id_: str) -> bool:
        return id_ in self._exact or any(wild.fits(id_) for wild in self._wild)

    def __bool__(self) -> bool:
        return bool(self._exact or self._wild)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ids):
            return False
        return self._exact == other._exact and self._wild == other._wild

    __hash__ = None  # type: ignore[assignment]


def _meet(one: list[str], other: list[str]) -> bool:
    """Whether there is a text that both fit, where "*" stands for any characters."""
    reached = {(0, 0)}
    seen = set(reached)
    while reached:
        i, j = reached.pop()
        if (i, j) == (len(one), len(other)):
            return True
        first = one[i] if i < len(one) else ""
        then = other[j] if j < len(other) else ""
        steps = set()
        if first == "*":
            steps |= {(i + 1, j)} | ({(i, j + 1)} if then else set())
        if then == "*":
            steps |= {(i, j + 1)} | ({(i + 1, j)} if first else set())
        if first and first == then:
            steps.add((i + 1, j + 1))
        new = steps - seen
        seen |= new
        reached |= new
    return False
