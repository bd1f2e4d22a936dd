"""A fact that is right, facts that are each wrong in one way, and the suite of each: run by `test_suites.py`.

The suite of a wrong fact names in `fails` the tests that are to fail.
"""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from setpoint import Fact, Values
from setpoint.testing import FactSuite


class Length(Values):
    """How long a file is.

    size: bytes.
    """

    size: int


class Long(Fact):
    """How long a file is.

    name: its path, absolute.
    """

    kind = "long"
    Value = Length

    async def watch(self) -> AsyncIterator[Any]:
        async for _ in self.host.files.changes(self.name):
            yield self.look()

    def look(self) -> Any:
        return Length(size=os.stat(self.name).st_size)


class TestLong(FactSuite):
    of: ClassVar[type[Long]] = Long
    fails: ClassVar[str] = ""
    patience = 0.5

    @pytest.fixture
    def fact(self, host, tmp_path):
        (tmp_path / "file").touch()
        self.sizes = itertools.count(1)
        return self.of(str(tmp_path / "file"), _host=host)

    async def change(self, fact):
        Path(fact.name).write_text("x" * next(self.sizes))


class Undocumented(Long):
    """How long a file is.

    name: its path, absolute.
    """

    unit: str = "bytes"


class TestUndocumented(TestLong):
    of = Undocumented
    fails = "test_its_docstring_explains_each_param_and_no_other"


class Bare(Values):
    """How long a file is."""

    size: int


class Unexplained(Long):
    __doc__ = Long.__doc__
    Value = Bare

    def look(self) -> Any:
        return Bare(size=super().look().size)


class TestUnexplained(TestLong):
    of = Unexplained
    fails = "test_each_field_of_its_value_is_explained"


class Misnamed(Long):
    __doc__ = Long.__doc__
    Value = int

    def look(self) -> Any:
        return str(super().look().size)


class TestMisnamed(TestLong):
    of = Misnamed
    fails = "test_values_are_of_the_type_that_it_declares"


class Tardy(Long):
    __doc__ = Long.__doc__

    async def watch(self) -> AsyncIterator[Any]:
        await asyncio.sleep(1)
        async for value in super().watch():
            yield value


class TestTardy(TestLong):
    """Nothing comes in time, so all that waits for something fails."""

    of = Tardy
    fails = (
        "test_the_first_value_comes_at_once test_values_are_of_the_type_that_it_declares"
        " test_a_change_is_told test_two_who_follow_it_see_the_same test_closing_it_leaks_nothing"
    )


class Stubborn(Long):
    __doc__ = Long.__doc__

    def look(self) -> Any:
        return Length(size=7)


class TestStubborn(TestLong):
    """It has no change to tell, to one or to two."""

    of = Stubborn
    fails = "test_a_change_is_told test_two_who_follow_it_see_the_same"


class Jealous(Long):
    __doc__ = Long.__doc__

    async def watch(self) -> AsyncIterator[Any]:
        self.__dict__["follower"] = me = object()
        async for value in super().watch():
            if self.__dict__["follower"] is me:
                yield value


class TestJealous(TestLong):
    of = Jealous
    fails = "test_two_who_follow_it_see_the_same"


class Leaking(Long):
    __doc__ = Long.__doc__

    async def watch(self) -> AsyncIterator[Any]:
        os.open(self.name, os.O_RDONLY)
        async for value in super().watch():
            yield value


class TestLeaking(TestLong):
    of = Leaking
    fails = "test_closing_it_leaks_nothing"
