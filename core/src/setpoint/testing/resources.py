"""`ResourceSuite`: what every kind has to do, as tests that a plugin inherits."""

import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest

from setpoint.declarations.params import Schema
from setpoint.engine.events import Changed
from setpoint.hookspecs import hookimpl
from setpoint.resource import Meta, Resource, params
from setpoint.testing.documented import faults_of_params, faults_of_sends
from setpoint.testing.engines import Engines
from setpoint.testing.looking import Looking, looking
from setpoint.testing.stopping import StoppingSuite
from setpoint.testing.subject import shown
from setpoint.values import Change, Secret


class ResourceSuite(StoppingSuite):
    """The contract of a kind, as tests: subclass it, say what to try, and all of them run.

        class TestLine(ResourceSuite):
            @pytest.fixture
            def resource(self, host, tmp_path):
                (tmp_path / "hosts").write_text("one")
                return Line("two", path=str(tmp_path / "hosts"), text="two", _host=host)

            async def disturb(self, resource):
                Path(resource.path).write_text("one")

    What else a subclass may say is in `Subject`.
    """

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
        said = f"{resource} {resource!r} {changes} {caplog.text}"
        for name in params(type(resource)):
            value = getattr(resource, name)
            if isinstance(value, Secret) and value.reveal():
                assert str(value.reveal()) not in said, f"the secret {name} is shown"

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
            assert not found, f"a check found {shown(found)}; `checks = False` says it would not"

    @pytest.mark.asyncio
    async def test_one_apply_is_enough(self, resource: Any) -> None:
        """A second look finds nothing."""
        await resource.check_apply(apply=True)
        left = await resource.check_apply(apply=False)
        assert not left, f"after an apply there is still {shown(left)}"

    @pytest.mark.asyncio
    async def test_what_was_found_is_as_declared_for_whoever_looks_next(
        self, resource: Any
    ) -> None:
        """A process that remembers nothing finds nothing either."""
        await self._settle(resource)
        with self._next_process(resource) as again:
            left = await again.check_apply(apply=False)
        assert not left, f"a new process still finds {shown(left)}"

    @pytest.mark.asyncio
    async def test_an_apply_does_what_the_plan_said(self, resource: Any) -> None:
        """What a check finds is what an apply returns as repaired."""
        with self._next_process(resource) as plans:
            planned = await plans.check_apply(apply=False)
        done = await resource.check_apply(apply=True)
        assert done == planned, f"planned was {shown(planned)}, and done {shown(done)}"

    @pytest.mark.asyncio
    async def test_the_watch_tells_of_a_disturbance_that_is_then_repaired(
        self, resource: Any
    ) -> None:
        """Watching begins, and from then on nothing is missed."""
        await self._settle(resource)
        async with looking(resource, self.patience) as watch:
            await resource.check_apply(apply=False)  # as an engine does once it watches
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

    async def _hear(self, resource: Any, watch: Looking) -> None:
        """Wait until the watch has told of a disturbance, and a check finds it."""
        while await watch.news(self.patience):
            if not self.checks or await resource.check_apply(apply=False):
                return
        raise AssertionError(f"the watch told nothing of a disturbance for {self.patience} s")


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
