"""Random facts, edits, failures, restarts and crashes, with a real engine, against the nine rules of live graphs.

A site is a graph file, facts, and a machine in memory. After each step it comes to rest and is judged: what there is,
how it stands, what was changed and put back, who was told, and who was disturbed. In a mess several things happen
before that, with a few turns of the loop between them. A failure prints the steps, and what to call to have them again.

`SETPOINT_EXAMPLES=20000 pytest tests/test_live_rules.py --timeout 0` runs it long.
"""

import itertools
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .live.entries import MOST, Entry, entry, files, told
from .live.rules import Rules
from .live.site import WRONG, Site

EXAMPLES = int(os.environ.get("SETPOINT_EXAMPLES", "120"))

picks = st.integers(0, 19)  # of the ids there are, counted round
edits = st.integers(0, MOST - 1).flatmap(lambda n: st.tuples(st.just(n), st.none() | entry(n)))
things = st.one_of(
    *[st.tuples(st.just("tell"), told)] * 4,
    st.tuples(st.just("edit"), edits),
    st.tuples(st.just("disturb"), picks),
    st.tuples(st.just("wrong"), st.integers(0, len(WRONG) - 1)),
    st.tuples(st.just("break_"), st.tuples(st.sampled_from(["check", "apply"]), picks)),
    st.tuples(st.just("mend"), st.none()),
    st.tuples(st.just("kill"), st.none()),
)
restarts = st.tuples(st.just("restart"), st.tuples(st.booleans(), st.none() | picks))
turns = st.sampled_from([0, 0, 0, 1, 2, 3, 5, 8])
messes = st.tuples(st.just("mess"), st.lists(st.tuples(things, turns), min_size=2, max_size=6))


@st.composite
def outages(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """Draw an outage: something is broken, others change, the process ends, and all is mended."""
    broken = st.tuples(st.just("break_"), st.tuples(st.just("check"), picks))
    change = st.tuples(st.just("disturb"), picks) | st.tuples(st.just("tell"), told)
    end = st.tuples(st.just("kill"), st.none()) | st.just(("restart", (True, None)))
    return [draw(broken), draw(change), draw(change), draw(end), ("mend", None)]


steps = st.one_of(things, things, restarts, messes).map(lambda one: [one]) | outages()


@pytest.mark.timeout(max(120, EXAMPLES))
@given(files(), st.lists(steps, min_size=2, max_size=7))
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
def test_what_a_site_does_is_what_the_rules_say(entries, steps):
    run(entries, steps)


def run(entries, steps):
    """Judge a site with `entries` after each of `steps`."""
    site = Site(entries)
    rules = Rules(site)
    try:
        site.start()
        site.rest()
        rules.judge(alone=False)
        for what, arg in itertools.chain.from_iterable(steps):
            site.begin_step()
            if what == "mess":
                for thing, turns in arg:
                    site.do(*thing)
                    site.turn(turns)
            else:
                site.do(what, arg)
            site.rest()
            rules.judge(alone=what in ("tell", "edit", "wrong"))
    finally:
        site.close()


def tell(number):
    return "tell", {"a": number, "b": number, "c": number}


def test_what_comes_and_goes_again_while_it_is_put_back_is_put_back_once_more():
    entries = {0: Entry(0, reverse=True), 3: Entry(3, each="c", reverse=True)}
    mess = [(tell(0), 0), (("edit", (0, None)), 1), (tell(1), 0), (tell(0), 0)]
    for _ in range(10):  # it depends on which of two threads is quicker
        run(entries, [[tell(0)], [tell(1)], [("mess", mess)]])


def test_dependents_leave_first_each_time():
    entries = {0: Entry(0, when="c"), 1: Entry(1, each="c", listens=frozenset({0}))}
    run(entries, [[tell(2)], [("mess", [(tell(0), 0), (tell(2), 0), (tell(0), 0)])]])


def test_who_comes_after_a_change_is_not_told_of_it():
    entries = {0: Entry(0), 2: Entry(2, when="c", listens=frozenset({0}))}
    run(entries, [[tell(0)], [("mess", [(("disturb", 0), 0), (tell(0), 1), (tell(2), 0)])]])


def test_who_was_not_known_when_a_change_was_made_is_not_told_of_it():
    entries = {0: Entry(0, value=1), 1: Entry(1, reads="a", listens=frozenset({0}))}
    run(entries, [[("mess", [(("edit", (0, Entry(0))), 1), (tell(0), 0)])]])


def test_what_is_unknown_at_first_and_then_not_there_is_put_back():
    entries = {0: Entry(0, when="a", reverse=True)}
    run(entries, [[tell(2)], [("restart", (False, None))], [tell(0)]])


def test_what_cannot_be_put_back_holds_nobody_up():
    entries = {0: Entry(0, each="a", reverse=True), 3: Entry(3, listens=frozenset({0}))}
    run(entries, [[tell(2)], [("break_", ("check", 0))], [tell(0)], [("mend", None)]])


def test_nor_does_what_waits_for_that():
    entries = {
        0: Entry(0, when="c", reverse=True),
        1: Entry(1, listens=frozenset({0})),
        2: Entry(2, each="c", listens=frozenset({0}), reverse=True),
    }
    run(entries, [[tell(2)], [("break_", ("check", 0))], [tell(0)], [("mend", None)]])


def test_who_cannot_be_put_back_may_say_so():
    entries = {
        1: Entry(1, reads="b", reverse=True),
        2: Entry(2, each="c", listens=frozenset({0, 1})),
    }
    mess = [(("edit", (1, None)), 0), (("break_", ("apply", 3)), 0)]
    run(entries, [[tell(0)], [tell(3)], [("mess", mess)], [("mend", None)]])


def test_what_comes_back_while_it_is_put_back_is_not_put_back_once_more():
    mess = [(tell(0), 0), (("kill", None), 0), (("mend", None), 0), (tell(1), 0)]
    run({0: Entry(0, each="c", reverse=True)}, [[tell(1)], [("mess", mess)]])


def restless(entry):
    """Judge a site in which `entry` takes the place of two that are to be put back, and what it listens to goes."""
    entries = {1: Entry(1), 2: Entry(2, each="a", reverse=True)}
    first = ("edit", (1, Entry(1, when="a", value=1, reverse=True)))
    mess = [(first, 2), (("edit", (2, entry)), 3), (tell(0), 0)]
    for _ in range(5):  # it depends on which of two threads is quicker
        run(entries, [[tell(2)], [("mess", mess)]])


def test_dependents_are_put_back_first_though_what_they_need_leaves_later():
    restless(Entry(2, each="a", listens=frozenset({1}), reverse=True))


def test_what_was_meanwhile_declared_without_reverse_is_not_put_back():
    restless(Entry(2, each="a", value=1, listens=frozenset({1})))


def test_who_is_told_of_a_change_and_of_its_end_may_be_refreshed_twice():
    restless(Entry(2, listens=frozenset({1}), reverse=True))
