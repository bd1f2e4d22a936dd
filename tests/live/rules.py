"""The rules of what appears and disappears, held against all that was done in one step."""

import itertools
from collections import Counter
from collections.abc import Iterator

from .machine import HALF, Done
from .site import Shape, Site

BAD = ("failed", "blocked")
UNDOING = {"unwatch": "watch", "restore": "apply"}  # verb to what it undoes


class Rules:
    """Judges a site at rest, and remembers what its next steps are judged by.

    prior: id to what was there before the first change, of what is to be put back.
    ours: id to what we wrote last, or tried to since.
    due: pairs (notifier, listener) of refreshes that are still to come.
    perhaps: listeners that may be refreshed, because somebody changed something.
    loose: others may be too, because a process was killed.
    listeners: id to all that it ever notified, some of which are told when it is put back.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.prior: dict[str, str] = {}
        self.ours: dict[str, set[str]] = {}
        self.due: set[tuple[str, str]] = set()
        self.perhaps: set[str] = set()
        self.listeners: dict[str, set[str]] = {}
        self.loose = False

    def judge(self, *, alone: bool) -> None:
        """Assert that all is as the rules say.

        Args:
            alone: exactly one thing has happened, in peace.

        """
        self.log = list(self.site.machine.log)
        self.last = self.site.shapes[-1]
        self.there = self.last.decided.there
        self._who_is_there()
        self._how_they_stand()
        self._who_changed_what()
        self._what_is_put_back(alone)
        self._once_before_it_leaves()
        self._who_is_told()
        self._dependents_first()
        if alone:
            self._who_is_looked_at()
        self.states = self.site.states

    # -- rules 1 to 4: what there is, and what is done to it

    def _who_is_there(self) -> None:
        assert {id_ for id_ in self.site.states if not _is_reversal(id_)} == self.there.keys()

    def _how_they_stand(self) -> None:
        machine, states = self.site.machine, self.site.states
        above = {then: first for first, then in self.last.edges if states[first] in BAD}
        for id_, wanted in self.there.items():
            if states[id_] == "settled":
                assert machine.cells.get(id_, "absent") == wanted.value, id_
            elif states[id_] == "failed":
                assert {("check", id_), ("apply", id_)} & machine.broken, id_
            else:
                assert states[id_] == "blocked", (id_, states[id_])
                assert id_ in above, id_

    def _who_changed_what(self) -> None:
        shapes = self.site.shapes
        for done in self.log:
            if done.verb == "apply" and done.after != HALF:
                assert any(_declares(shape, done) for shape in shapes), done

    # -- rules 5 and 6: what is gone

    def _what_is_put_back(self, alone: bool) -> None:
        shapes = [*self.site.shapes]
        for place, done in enumerate(self.log):
            while shapes and shapes[0].since <= place:
                self._forget(shapes.pop(0))
            self._remember(done, alone)
        for shape in shapes:
            self._forget(shape)
        for id_ in list(self.prior):
            if not self.last.decided.may_have(id_):
                self._is_put_back(id_)

    def _forget(self, shape: Shape) -> None:
        for id_ in self.prior.keys() & shape.decided.there:
            if not shape.decided.there[id_].reverse:
                del self.prior[id_]

    def _remember(self, done: Done, alone: bool) -> None:
        id_ = done.id
        if done.verb == "prior":
            self.prior[id_] = done.before
            self.ours.setdefault(id_, set())
        elif done.verb == "try" and done.kept:
            self.ours.setdefault(id_, set()).add(done.after)
        elif done.verb == "apply" and done.kept and done.after != HALF:
            self.ours[id_] = {done.after}
        elif done.verb == "restore":
            assert not all(shape.decided.may_have(id_) for shape in self.site.shapes), done
            ours = {HALF, *self.ours[id_]}  # or somebody changes it at the very moment
            assert done.before in ours or (not alone and done.before.startswith("alien")), done
            if done.after != HALF:
                assert done.after == self.prior.pop(id_), done
                del self.ours[id_]

    def _is_put_back(self, id_: str) -> None:
        machine, state = self.site.machine, self.site.states.get(f"reverse {id_}")
        if state == "failed":
            assert {("check", id_), ("apply", id_)} & machine.broken, id_
        elif state == "blocked":
            bad = [other for other, state in self.site.states.items() if state == "failed"]
            assert any(map(_is_reversal, bad)), id_
        else:
            cell = machine.cells.get(id_, "absent")
            assert cell == self.prior[id_] or cell not in self.ours[id_], f"{id_} is not put back"
            del self.prior[id_], self.ours[id_]

    def _dependents_first(self) -> None:
        if self.site.killed:
            return
        places: dict[str, list[int]] = {}
        for place, done in enumerate(self.log):
            if done.verb in UNDOING:
                places.setdefault(f"{done.verb} {done.id}", []).append(place)
            for verb, doing in UNDOING.items():
                if done.verb == doing:  # it came back, and what counts is when it leaves for good
                    places.pop(f"{verb} {done.id}", None)
        for first, then in self._left_together():
            for verb in UNDOING:
                one, other = places.get(f"{verb} {first}"), places.get(f"{verb} {then}")
                assert not (one and other) or other[-1] < one[0], f"{verb} {first} before {then}"

    def _left_together(self) -> Iterator[tuple[str, str]]:
        """Yield the edges between what left in the same swap, and was not there again."""
        shapes = self.site.shapes
        for number, shape in enumerate(shapes):
            later = {id_ for other in shapes[number + 1 :] for id_ in other.decided.there}
            before = {id_ for other in shapes[:number] for id_ in other.decided.there}
            if number + 1 < len(shapes):
                yield from (p for p in shape.edges if later.isdisjoint(p) and before.issuperset(p))

    # -- rule 8

    def _once_before_it_leaves(self) -> None:
        shapes = self.site.shapes
        if self.site.rough:
            return
        for before, shape in itertools.pairwise(shapes):
            for id_, wanted in shape.decided.there.items():
                if id_ not in before.decided.there and wanted.realize:
                    done = self.log[shape.since :]
                    assert any(_is_as(one, id_, shapes) for one in done), f"{id_} never was"

    # -- notifications

    def _who_is_told(self) -> None:
        # what a process that is killed did is perhaps not written down, and so done again
        self.loose |= self.site.killed
        due = set(self.due)
        for first, then in (pair for shape in self.site.shapes for pair in shape.edges):
            self.listeners.setdefault(first, set()).add(then)
        times = Counter(self.perhaps)  # one refresh for many, or one for each: a matter of moments
        for place, done in enumerate(self.log):
            if done.verb == "refresh":
                assert times[done.id] or self.loose, f"{done.id}: nobody told it"
                times[done.id] -= 1
                self.perhaps.discard(done.id)
                due = {pair for pair in due if pair[1] != done.id}
            news: set[str] = set()
            if done.verb == "undo":  # also if it fails then
                news = self.listeners.get(done.id, set())
            if done.verb in ("apply", "refresh"):
                # who comes later need not be told, but may be: what is under way is told when it ends
                now = [shape for shape in self.site.shapes if shape.since <= place][-1]
                due |= {pair for pair in now.edges if now.edges[pair] and pair[0] == done.id}
                told = {
                    pair for shape in self.site.shapes for pair in shape.edges if shape.edges[pair]
                }
                news = {then for first, then in told if first == done.id}
            self.perhaps |= news
            times.update(news if done.before != HALF or done.verb == "undo" else ())
        self.due = {
            pair for pair in due if all(_may_tell(shape, *pair) for shape in self.site.shapes)
        }
        self.perhaps = {id_ for id_ in self.perhaps if self.last.decided.may_have(id_)}
        for first, then in self.due & self.last.edges.keys():
            bad = {self.site.states[first], self.site.states[then]} & {*BAD}
            assert bad, f"{then} was not told by {first}"
        if not self.last.decided.held and {*BAD}.isdisjoint(self.site.states.values()):
            self.loose = False

    # -- what is the same in both is not disturbed

    def _who_is_looked_at(self) -> None:
        before = self.site.shapes[0].decided.there
        changed = {id_ for id_ in {*before, *self.there} if before.get(id_) != self.there.get(id_)}
        refreshed = {done.id for done in self.log if done.verb == "refresh"}
        bad = {id_ for id_, state in self.states.items() if state in BAD}
        for done in self.log:
            if done.verb in ("check", "watch", "unwatch") and done.id in before.keys() & self.there:
                assert done.id in changed | refreshed | bad, done


def _is_reversal(id_: str) -> bool:
    return id_.startswith("reverse ")


def _may_tell(shape: Shape, first: str, then: str) -> bool:
    """Whether `first` notifies `then`, or may do so once more is known."""
    if {first, then} <= shape.decided.there.keys():
        return shape.edges.get((first, then), False)
    return shape.decided.may_have(first) and shape.decided.may_have(then)


def _declares(shape: Shape, done: Done) -> bool:
    wanted = shape.decided.there.get(done.id)
    return wanted is not None and wanted.value == done.after


def _is_as(done: Done, id_: str, shapes: list[Shape]) -> bool:
    """Whether `done` shows that a resource was as it was declared."""
    values = {shape.decided.there[id_].value for shape in shapes if id_ in shape.decided.there}
    return done.id == id_ and done.verb in ("check", "apply") and done.after in values
