"""`StoppingSuite`: what a kind has to stand: being closed, cancelled, killed, and run by somebody else."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from setpoint.testing.cancelling import CutShort
from setpoint.testing.held import held, in_words, more_than, own_threads
from setpoint.testing.lives import Crash, as_nobody
from setpoint.testing.looking import looking
from setpoint.testing.points import NEVER, spread
from setpoint.testing.snapshot import snapshot, unfinished
from setpoint.testing.subject import Subject

CANCELLATIONS, KILLS = 6, 12
PLAIN = {"OSError", "SetpointError"}  # what a person can make something of


class StoppingSuite(Subject):
    """Tests that stop a resource, or do not let it."""

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

    @pytest.mark.asyncio
    async def test_killed_anywhere_it_converges_again(
        self, resource: Any, tmp_path: Path, crash: Crash
    ) -> None:
        """The next process finds no trace of one that was killed, and what it wanted all the same."""

        async def work() -> None:
            with self._next_process(resource) as living:
                await living.check_apply(apply=True)

        async def begin() -> None:
            await self._undo(resource)

        await crash.live(work)  # from nothing: what is undone later may be less
        wanted: object = None
        async for life in crash.lives(work, begin, KILLS if self.checks else 0):
            await self._recover(resource)
            left = unfinished(str(tmp_path), resource.host.root)
            assert not left, f"killed at call {life.calls} it leaves {left} for ever"
            found = self.observe(resource), snapshot(str(tmp_path), resource.host.root)
            wanted = found if wanted is None else wanted
            assert found == wanted, f"killed at call {life.calls} it never becomes as it should"

    @pytest.mark.asyncio
    async def test_who_is_not_root_is_told_plainly(self, resource: Any) -> None:
        """Either it works for others too, or they read what to do: never what is a mistake in the kind."""

        async def work(state: str) -> None:
            with self._next_process(resource, state) as theirs:
                await theirs.check_apply(apply=True)

        ended = await as_nobody(work)
        said = f"{ended.sorts[:1]} {ended.text}"
        if ended.sorts:
            assert PLAIN & {*ended.sorts}, f"who is not root reads of a mistake: {said}"
        if self.refuses_others:
            assert ended.sorts, "who is not root is not refused; `refuses_others = True` says so"
            assert "; " in ended.text, f"who is not root does not read what to do: {said}"

    # how the tests go about it

    async def _cycle(self, resource: Any) -> None:
        """Use it for a while, then close it."""
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

    async def _cancel(self, resource: Any, at: int) -> tuple[int, Counter[str]]:
        """Let it converge, cancelled at a wait and then not; return the waits, and what it held after the first."""
        await self._undo(resource)
        before = held()
        async with own_threads():
            work = CutShort(resource.check_apply(apply=True), at)
            await work.run()
        more = await more_than(before)
        await self._settle(resource)
        return work.waits, more

    async def _recover(self, resource: Any) -> None:
        """Do what an engine does that begins after one that was killed."""
        with self._next_process(resource) as again:
            again.host.remove_unfinished()
            await self._settle(again)
