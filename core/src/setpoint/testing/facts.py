"""`FactSuite`: what every fact has to do, as tests that a plugin inherits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import msgspec
import pytest

from setpoint.cli.doc import structs_in
from setpoint.declarations.params import convert
from setpoint.resource import Fact
from setpoint.testing.documented import faults_of_params, faults_of_value, fields
from setpoint.testing.held import held, in_words, more_than, own_threads
from setpoint.values import reveal

MISSING = object()


class FactSuite:
    """The contract of a fact, as tests: subclass it, say what to try, and all of them run.

        class TestHostname(FactSuite):
            @pytest.fixture
            def fact(self, host, private):
                private(uts=True)
                return Hostname(_host=host)

            async def change(self, fact):
                socket.sethostname("other")

    moves: False for a fact whose value cannot be changed in a test.
    patience: seconds in which the first value has to be there, and a change has to be told.
    """

    moves: ClassVar[bool] = True
    patience: ClassVar[float] = 5.0

    @pytest.fixture
    def fact(self) -> Fact:
        """Return what to try, on the fixture `host`; each subclass has its own."""
        raise NotImplementedError(f"{type(self).__name__} has to have a fixture `fact`")

    async def change(self, fact: Any) -> None:
        """Change on the machine what `fact` tells, to another value each time."""
        raise NotImplementedError(f"{type(self).__name__} has to have `async def change`")

    def test_its_docstring_explains_each_param_and_no_other(self, fact: Any) -> None:
        """It is the reference that people read."""
        values = [name for value in structs_in(fact.Value) for name in fields(value)]
        assert not list(faults_of_params(type(fact), *values))

    def test_each_field_of_its_value_is_explained(self, fact: Any) -> None:
        """In its docstring, or in that of the value."""
        assert not list(faults_of_value(type(fact)))

    @pytest.mark.asyncio
    async def test_the_first_value_comes_at_once(self, fact: Any) -> None:
        """Who asks need not wait for a change."""
        async with self._following(fact) as values:
            await self._next(values, "no first value came")

    @pytest.mark.asyncio
    async def test_values_are_of_the_type_that_it_declares(self, fact: Any) -> None:
        """All of them, the one after a change too."""
        async with self._following(fact) as values:
            await self._fits(fact, values)
            if self.moves:
                await self.change(fact)
                await self._fits(fact, values)

    @pytest.mark.asyncio
    async def test_a_change_is_told(self, fact: Any) -> None:
        """After the first value nothing is missed."""
        async with self._following(fact) as values:
            await self._moved(fact, values)

    @pytest.mark.asyncio
    async def test_two_who_follow_it_see_the_same(self, fact: Any) -> None:
        """Both get the first value and the change, and one that leaves does not disturb the other."""
        async with self._following(fact) as stays:
            async with self._following(fact) as leaves:
                await self._moved(fact, stays, leaves)
            if self.moves:
                await self._moved(fact, stays, begun=True)

    @pytest.mark.asyncio
    async def test_closing_it_leaks_nothing(self, fact: Any) -> None:
        """Followed and left again and again, it holds no more than at first."""
        await self._cycle(fact)  # what is kept for good, modules say, is there after this
        before = held()
        for _ in range(3):
            await self._cycle(fact)
        more = await more_than(before)
        assert not more, f"three cycles leaked {in_words(more)}"

    # how the tests go about it

    async def _cycle(self, fact: Any) -> None:
        async with own_threads():
            async with self._following(fact) as values:
                await self._next(values, "no first value came")
                if self.moves:
                    await self.change(fact)
                    await self._next(values, "a change was not told")
            fact.host.close()

    @asynccontextmanager
    async def _following(self, fact: Any) -> AsyncIterator[AsyncIterator[Any]]:
        """Give the values of `fact`."""
        values = fact.watch()
        try:
            yield values
        finally:
            await values.aclose()

    async def _next(self, values: AsyncIterator[Any], otherwise: str) -> Any:
        try:
            async with asyncio.timeout(self.patience):
                return await anext(values)
        except TimeoutError:
            raise AssertionError(f"{otherwise} within {self.patience} s") from None

    async def _fits(self, fact: Any, values: AsyncIterator[Any]) -> None:
        """Take the next value, which must be a `fact.Value`, strictly."""
        value = await self._next(values, "no value came")
        plain = msgspec.to_builtins(value, enc_hook=reveal)
        assert convert(plain, fact.Value) == value, f"{value!r} is no Value"

    async def _moved(self, fact: Any, *followers: AsyncIterator[Any], begun: bool = False) -> None:
        """Change the value, and see that each of `followers` is told a new one."""
        first = [
            MISSING if begun else await self._next(values, "no first value came")
            for values in followers
        ]
        if not self.moves:
            return
        await self.change(fact)
        for values, before in zip(followers, first, strict=True):
            while await self._next(values, "a change was not told") == before:
                pass  # it may say too often that it may have changed
