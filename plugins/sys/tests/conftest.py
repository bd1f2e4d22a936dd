"""Following a fact as its users do, and a host whose time is not ours."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from setpoint import Fact
from setpoint.host import Host
from setpoint.testing.clocks import VirtualClock

PATIENCE = 8.0  # seconds for what happens at once


class Values:
    """The values of a fact as they come."""

    def __init__(self, fact: Fact, patience: float) -> None:
        self._values: Any = fact.watch()
        self._patience = patience

    async def next(self) -> Any:
        """Return the next value."""
        async with asyncio.timeout(self._patience):
            return await anext(self._values)

    async def until(self, wanted: Callable[[Any], bool]) -> Any:
        """Return the next value that is wanted."""
        async with asyncio.timeout(self._patience):
            async for value in self._values:
                if wanted(value):
                    return value
        raise AssertionError("the values ended")

    async def none_for(self, seconds: float) -> None:
        """See that no value comes; nothing can follow after this."""
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(seconds):
                raise AssertionError(f"there came {await anext(self._values)}")

    async def close(self) -> None:
        """Follow no more."""
        await self._values.aclose()


@asynccontextmanager
async def following(fact: Fact, patience: float = PATIENCE) -> AsyncIterator[Values]:
    values = Values(fact, patience)
    try:
        yield values
    finally:
        await values.close()


@pytest.fixture
def follow() -> Callable[[Fact], Any]:
    """Return what follows a fact while a block runs."""
    return following


@pytest.fixture
def virtual_clock() -> Iterator[VirtualClock]:
    """Time that jumps an hour at once: midnights are waited for here."""
    clock = VirtualClock(longest=3600.0)
    yield clock
    clock.let_go()


@pytest.fixture
def virtual_host(virtual_clock: VirtualClock, tmp_path: Any) -> Iterator[Host]:
    """A host on which waiting takes no time."""
    host = Host(state=tmp_path / "state", clock=virtual_clock)
    yield host
    host.close()


@pytest.fixture
def ip() -> Callable[..., None]:
    """Return what runs ip(8), with commands on its standard input if there are any."""

    def run(words: str, commands: str = "") -> None:
        subprocess.run(["ip", *words.split()], input=commands, text=True, check=True)

    return run
