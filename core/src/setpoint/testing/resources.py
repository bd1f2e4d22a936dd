"""`ResourceSuite`: what every kind has to do, as tests that a plugin inherits."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from setpoint.declarations.params import Schema
from setpoint.engine.events import Changed
from setpoint.hookspecs import hookimpl
from setpoint.host import Host
from setpoint.resource import Meta, Resource, params
from setpoint.testing.cancelling import NEVER, CutShort, spread
from setpoint.testing.documented import faults_of_params, faults_of_sends
from setpoint.testing.engines import Engines
from setpoint.testing.held import held, in_words, more_than, own_threads
from setpoint.testing.looking import Looking, looking
from setpoint.testing.snapshot import snapshot
from setpoint.values import Change, Secret

ROUNDS = 3  # applies after which a test that is not about their number gives up
CANCELLATIONS = 6


class ResourceSuite:
    """The contract of a kind, as tests: subclass it, say what to try, and all of them run.

        class TestLine(ResourceSuite):
            @pytest.fixture
            def resource(self, host, tmp_path):
                (tmp_path / "hosts").write_text("one")
                return Line("two", path=str(tmp_path / "hosts"), text="two", _host=host)

            async def disturb(self, resource):
                Path(resource.path).write_text("one")

    `resource` is a fixture: a declaration whose state the machine does not have yet, on the fixture `host`.

    watches: False for a kind without a watch of its own.
    checks: False for a kind without a state: a check of `resource` finds nothing.
    refuses_others: True for a kind that only root can apply, and that says so.
    patience: seconds in which the watch has to begin, and to notice a disturbance.
    """

    watches: ClassVar[bool] = True
    checks: ClassVar[bool] = True
    refuses_others: ClassVar[bool] = False
    patience: ClassVar[float] = 5.0

    @pytest.fixture
    def resource(self) -> Resource:
        """Return what to try; each subclass has its own."""
        raise NotImplementedError(f"{type(self).__name__} has to have a fixture `resource`")

    async def disturb(self, resource: Any) -> None:
        """Change on the machine, as somebody else would, what `resource` declares and was applied."""
        raise NotImplementedError(f"{type(self).__name__} has to have `async def disturb`")

    async def undo(self, resource: Any) -> None:
        """Take all away that `resource` has made; a disturbance, if nothing else is known."""
        await self.disturb(resource)

    def observe(self, resource: Any) -> object:
        """Return what is on the machine of what `resource` declares, to be compared by ==.

        What lies in `tmp_path` is compared in any case.
        """

    def restarted(self, resource: Any) -> Any:
        """Return `resource` as the next process declares it: nothing in memory, the same state on disk."""
        host = Host(state=resource.host.root, clock=resource.host.clock)
        return msgspec.structs.replace(resource, _host=host)

    # what its author says

    def test_its_docstring_explains_each_param_and_no_other(self, resource: Any) -> None:
        """It is the reference that people read."""
        assert not list(faults_of_params(type(resource)))

    def test_its_docstring_says_what_it_sends(self, resource: Any) -> None:
        """Each field of `Sends` stands in a paragraph that begins with that word."""
        assert not list(faults_of_sends(type(resource)))

    def test_its_params_make_it_again(self, resource: Any) -> None:
        """What it is, its params say; and they can be written in a graph file."""
        kind, schema = type(resource), Schema.of(type(resource))
        values = {name: getattr(resource, name) for name in params(kind)}
        given = {"name": resource.name, "meta": resource.meta, "_host": resource._host}
        assert kind(**given, **values) == resource == msgspec.structs.replace(resource)
        for name, value in values.items():
            if value is not msgspec.UNSET:
                written = msgspec.to_builtins(value, enc_hook=_revealed)
                assert schema.params[name].accept(written) == value, f"{name} cannot be written"

    @pytest.mark.asyncio
    async def test_no_secret_is_shown(
        self, resource: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Neither in what it says of itself, nor in differences and logs."""
        with caplog.at_level(logging.DEBUG):
            changes = await resource.check_apply(apply=True)
        shown = f"{resource} {resource!r} {changes} {caplog.text}"
        for name in params(type(resource)):
            value = getattr(resource, name)
            if isinstance(value, Secret) and value.reveal():
                assert str(value.reveal()) not in shown, f"the secret {name} is shown"

    # looking and repairing

    @pytest.mark.asyncio
    async def test_a_check_alone_changes_nothing(self, resource: Any, tmp_path: Path) -> None:
        """Not what is declared, nor anything else that is observed."""
        before = self._seen(resource, tmp_path)
        found = await resource.check_apply(apply=False)
        assert self._seen(resource, tmp_path) == before, "a check changed something"
        assert all(isinstance(change, Change) for change in found)
        if self.checks:
            assert found, "a check found nothing to do; `resource` has to differ from the machine"
        else:
            assert not found, f"a check found {_shown(found)}; `checks = False` says it would not"

    @pytest.mark.asyncio
    async def test_one_apply_is_enough(self, resource: Any) -> None:
        """A second look finds nothing."""
        await resource.check_apply(apply=True)
        left = await resource.check_apply(apply=False)
        assert not left, f"after an apply there is still {_shown(left)}"

    @pytest.mark.asyncio
    async def test_what_was_found_is_as_declared_for_whoever_looks_next(
        self, resource: Any
    ) -> None:
        """A process that remembers nothing finds nothing either."""
        await self._settle(resource)
        left = await self._look_after_restart(resource)
        assert not left, f"a new process still finds {_shown(left)}"

    @pytest.mark.asyncio
    async def test_an_apply_does_what_the_plan_said(self, resource: Any) -> None:
        """What a check finds is what an apply returns as repaired."""
        planned = await self._look_after_restart(resource)
        done = await resource.check_apply(apply=True)
        assert done == planned, f"planned was {_shown(planned)}, and done {_shown(done)}"

    @pytest.mark.asyncio
    async def test_the_watch_tells_of_a_disturbance_that_is_then_repaired(
        self, resource: Any
    ) -> None:
        """Watching begins, and from then on nothing is missed."""
        await self._settle(resource)
        async with looking(resource, self.patience) as watch:
            if self.watches:
                await self.disturb(resource)
                await self._hear(resource, watch)
        await self._settle(resource)

    @pytest.mark.asyncio
    async def test_noop_changes_nothing_and_notifies_nobody(
        self, resource: Any, tmp_path: Path, engine: Engines
    ) -> None:
        """An engine that only looks says what it would do."""
        await resource.check_apply(apply=False)
        before = self._seen(resource, tmp_path)
        looks = msgspec.structs.replace(resource, meta=Meta(noop=True))
        told = _Told("told")
        result = await engine.converge(looks, told, edges=f"{looks.id} ~> {told.id}")
        assert result.ok, f"with noop it failed: {result.failed}"
        assert self._seen(resource, tmp_path) == before, "with noop something changed"
        assert not told.memory, "with noop somebody was notified"
        said = [event.applied for event in engine.events if isinstance(event, Changed)]
        assert not any(said), "with noop it said that it had changed something"
        assert bool(said) is self.checks, "with noop it has to say what it would do"

    # being stopped

    @pytest.mark.asyncio
    async def test_cycles_leak_nothing(self, resource: Any) -> None:
        """Watched, applied, disturbed and closed again and again, it holds no more than at first."""
        await self._cycle(resource)  # what is kept for good, modules say, is there after this
        before = held()
        for _ in range(3):
            await self._cycle(resource)
        more = await more_than(before)
        assert not more, f"three cycles leaked {in_words(more)}"

    @pytest.mark.asyncio
    async def test_cancelled_anywhere_it_leaves_nothing_and_converges_later(
        self, resource: Any
    ) -> None:
        """Wherever it waits for something in an apply, it may be cancelled."""
        await self._settle(resource)
        waits, usual = await self._cancel(resource, NEVER)
        for at in spread(waits, CANCELLATIONS):
            _, more = await self._cancel(resource, at)
            leaked = more - usual
            assert not leaked, f"cancelled at wait {at} of {waits} it leaked {in_words(leaked)}"

    # how the tests go about it

    def _seen(self, resource: Any, tmp_path: Path) -> object:
        return self.observe(resource), snapshot(str(tmp_path), stamps=True)

    async def _settle(self, resource: Any) -> None:
        """Apply until nothing is left to do."""
        for _ in range(ROUNDS):
            if not await resource.check_apply(apply=True):
                return
        left = await resource.check_apply(apply=False)
        assert not left, f"after {ROUNDS} applies there is still {_shown(left)}"

    async def _look_after_restart(self, resource: Any) -> list[Change]:
        again = self.restarted(resource)
        try:
            found: list[Change] = await again.check_apply(apply=False)
            return found
        finally:
            again.host.close()

    async def _undo(self, resource: Any) -> None:
        if self.checks:
            await self.undo(resource)

    async def _hear(self, resource: Any, watch: Looking) -> None:
        """Wait until the watch has told of a disturbance, and a check finds it."""
        while await watch.news(self.patience):
            if not self.checks or await resource.check_apply(apply=False):
                return
        raise AssertionError(f"the watch told nothing of a disturbance for {self.patience} s")

    async def _cycle(self, resource: Any) -> None:
        async with own_threads():
            async with looking(resource, self.patience) as watch:
                await self._settle(resource)
                if self.checks:
                    await self.disturb(resource)
                    if self.watches:
                        await watch.news(self.patience)
                    await self._settle(resource)
                await self._undo(resource)
            resource.host.close()

    async def _cancel(self, resource: Any, at: int) -> "tuple[int, Any]":
        """Let it converge, cancelled at a wait and then not; return the waits and what the first held."""
        await self._undo(resource)
        before = held()
        async with own_threads():
            work = CutShort(resource.check_apply(apply=True), at)
            await work.run()
        more = await more_than(before)
        await self._settle(resource)
        return work.waits, more


class _Told(Resource):
    """Remembers that it was notified."""

    kind = "told"

    def check(self) -> list[Change]:
        """Find nothing."""
        return []

    @hookimpl
    def refresh(self) -> None:
        """Remember it."""
        self.memory["refreshed"] = True


def _revealed(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"a {type(value).__name__} cannot be written in a graph")


def _shown(changes: Iterable[Change]) -> str:
    return ", ".join(map(str, changes)) or "nothing"
