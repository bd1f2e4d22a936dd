"""Entries of graph files, drawn at random, and a model of what is there by them as the facts are."""

from typing import Any, NamedTuple

import msgspec
from hypothesis import strategies as st

from .machine import KINDS

FACTS = ("a", "b", "c")
MOST = 5  # entries
UNKNOWN, WRONG = object(), object()
Values = dict[str, Any]  # what facts tell, by name

# What a fact tells: a number, a text where a number is wanted, or nothing yet.
told = st.fixed_dictionaries(dict.fromkeys(FACTS, st.sampled_from([0, 1, 2, 3, "bad", None])))


class There(NamedTuple):
    """A resource as it is declared."""

    value: str
    reverse: bool
    realize: bool


class Entry(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """One entry of a graph file.

    when, each, reads: names of facts: whether it is there, how many there are, what the value has in it.
    requires, listens: numbers of others, all lower.
    """

    number: int
    when: str = ""
    each: str = ""
    reads: str = ""
    value: int = 0
    requires: frozenset[int] = frozenset()
    listens: frozenset[int] = frozenset()
    reverse: bool = False
    realize: bool = True

    @property
    def id(self) -> str:
        """The id; of several what all begin with."""
        return f"{kind_of(self.number)} e{self.number}"

    def text(self, others: "Entries") -> str:
        """Return it as it is written, in a file that has `others`."""
        lines = [f"  {self.id}{'-${{ each.key }}' if self.each else ''}:"]
        reads = f"${{{{ facts.{self.reads}.content + 0 }}}}" if self.reads else ""
        lines.append(f"    value: v{self.value}.{reads}")
        if self.when:
            lines.append(f"    when: facts.{self.when}.content + 0 > 1")
        if self.each:
            lines.append(f"    for_each: range(facts.{self.each}.content)")
        for word, numbers in (("require", self.requires), ("listen", self.listens)):
            if named := [f'"{kind_of(n)} e{n}*"' for n in sorted(numbers & others.keys())]:
                lines.append(f"    {word}: [{', '.join(named)}]")
        meta = (("reverse", self.reverse), ("realize", self.realize))
        lines.append(
            f"    meta: {{{', '.join(f'{name}: {str(is_so).lower()}' for name, is_so in meta)}}}"
        )
        return "\n".join(lines) + "\n"

    def ids(self, values: Values) -> list[str] | None:
        """Return the ids of its instances, whether they are there or not; None if nobody knows."""
        if not self.each:
            return [self.id]
        count = number(values, self.each)
        return None if count in (UNKNOWN, WRONG) else [f"{self.id}-{key}" for key in range(count)]

    def is_there(self, values: Values) -> bool | None:
        """Return whether it is there, None if nobody knows."""
        found = number(values, self.when) if self.when else 2
        return None if found in (UNKNOWN, WRONG) else found > 1

    def declared(self, values: Values) -> There | None:
        """Return how it is declared, None if nobody knows."""
        found = number(values, self.reads) if self.reads else ""
        if found in (UNKNOWN, WRONG):
            return None
        return There(f"v{self.value}.{found}", self.reverse, self.realize)


Entries = dict[int, Entry]


def known(told: dict[str, Any]) -> Values:
    """Return the values of the facts that tell anything."""
    return {name: {"content": value} for name, value in told.items() if value is not None}


def kind_of(number: int) -> str:
    """Return the kind of the entry of that number."""
    return KINDS[number % len(KINDS)].kind


def number(values: Values, name: str) -> Any:
    """Return the number that a fact tells."""
    value = values.get(name, {"content": UNKNOWN})["content"]
    return WRONG if isinstance(value, str) else value


def written(entries: Entries) -> str:
    """Return the text of a file with `entries`."""
    facts = "".join(f"  {name}: {{ file: /{name} }}\n" for name in FACTS)
    body = "".join(entries[n].text(entries) for n in sorted(entries))
    return f"facts:\n{facts}resources:\n{body}" if body else f"facts:\n{facts}"


class Decided(NamedTuple):
    """What is there by the rules.

    there: id to how it is declared.
    held: the ids of what is declared, and waits.
    undecided: what the ids begin with of which nobody knows whether they are declared.
    kept: the ids of what is as it was only because nobody knows better.
    """

    there: dict[str, There]
    held: set[str]
    undecided: tuple[str, ...]
    kept: set[str]

    def may_have(self, id_: str) -> bool:
        """Return whether it is there or may be."""
        return id_ in self.there or id_ in self.held or id_.startswith(self.undecided)


def decide(entries: Entries, values: Values, before: dict[str, There]) -> Decided:
    """Return what is there, if `before` was there until now."""
    there: dict[str, There] = {}
    waiting: set[str] = set()
    declared: dict[str, Entry] = {}
    undecided: dict[int, str] = {}
    for _, entry in sorted(entries.items()):
        ids = entry.ids(values)
        if ids is None:  # nobody knows which there are
            undecided[entry.number] = f"{entry.id}-"
            continue
        is_there, as_now = entry.is_there(values), entry.declared(values)
        if is_there is False:
            continue
        declared |= dict.fromkeys(ids, entry)
        if is_there is None or as_now is None:
            waiting.update(ids)
        else:
            there |= dict.fromkeys(ids, as_now)
    for id_, entry in declared.items():  # entries wait for earlier ones only
        above = entry.requires | entry.listens
        if above & undecided.keys() or any(declared[other].number in above for other in waiting):
            waiting.add(id_)
    begins = tuple(undecided.values())
    kept = {id_ for id_ in before if id_ in waiting or id_.startswith(begins)}
    there = {id_: one for id_, one in there.items() if id_ not in waiting}
    there |= {id_: before[id_] for id_ in kept}
    return Decided(there, waiting - kept, begins, kept)


def edges(entries: Entries, there: dict[str, There]) -> dict[tuple[str, str], bool]:
    """Return the edges between what is `there`, and whether they notify."""
    found: dict[tuple[str, str], bool] = {}
    owners = {id_: number_of(id_) for id_ in there}
    for then, own in owners.items():
        entry = entries.get(own)
        for first, other in owners.items():
            if entry and other in entry.requires | entry.listens and other in entries:
                found[first, then] = other in entry.listens
    return found


def number_of(id_: str) -> int:
    """Return the number of the entry that makes the resource."""
    return int(id_.partition(" e")[2].partition("-")[0])


@st.composite
def entry(draw: st.DrawFn, number: int) -> Entry:
    """Draw an entry."""
    maybe = st.sampled_from(["", *FACTS])
    lower = (
        st.frozensets(st.integers(0, number - 1), max_size=2) if number else st.just(frozenset())
    )
    return Entry(
        number,
        when=draw(maybe),
        each=draw(st.sampled_from(["", "", "", *FACTS])),
        reads=draw(maybe),
        value=draw(st.integers(0, 1)),
        requires=draw(lower),
        listens=draw(lower),
        reverse=draw(st.booleans()),
        realize=draw(st.sampled_from([True, True, True, False])),
    )


@st.composite
def files(draw: st.DrawFn) -> Entries:
    """Draw the entries of a graph file."""
    return {n: draw(entry(n)) for n in range(draw(st.integers(1, MOST)))}
