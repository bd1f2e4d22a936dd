"""A kind that is right, kinds that are each wrong in one way, and the suite of each: run by `test_suites.py`.

The suite of a wrong kind names in `fails` the one test that is to fail.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from setpoint import Change, Resource, Secret, Values, hookimpl
from setpoint.testing import ResourceSuite
from setpoint.watching import Still, Subscription


class Note(Resource):
    """A text in a file.

    name: path of the file, absolute.
    text: what is in it.

    Sends `size`: how many bytes it has.
    """

    kind = "note"

    text: str = "as declared"

    class Sends(Values):
        """What others may receive."""

        size: int

    @hookimpl
    def watch(self) -> Subscription | AsyncIterator[None]:
        return self.host.files.changes(self.name)

    def check(self) -> list[Change]:
        found = self.found()
        return [] if found == self.text else [Change("text", found, self.text)]

    def apply(self, changes: list[Change]) -> Any:
        self.write()

    @hookimpl
    def send(self) -> Sends:
        return self.Sends(size=len(self.text.encode()))

    def found(self) -> str | None:
        try:
            return self.host.files.read(self.name).decode()
        except FileNotFoundError:
            return None

    def write(self, text: str = "") -> None:
        self.host.files.write(self.name, (text or self.text).encode())


class TestNote(ResourceSuite):
    """The suite of each: nothing fails here."""

    of: ClassVar[type[Note]] = Note
    params: ClassVar[dict[str, Any]] = {}
    fails: ClassVar[str] = ""
    patience = 1.0

    @pytest.fixture
    def resource(self, host, tmp_path):
        return self.of(str(tmp_path / "note"), _host=host, **self.params)

    async def disturb(self, resource):
        Path(resource.name).unlink(missing_ok=True)


class Undocumented(Note):
    """A text in a file.

    name: path of the file.
    text: what is in it.

    Sends `size`: how many bytes it has.
    """

    colour: str = ""


class TestUndocumented(TestNote):
    of = Undocumented
    fails = "test_its_docstring_explains_each_param_and_no_other"


class Outdated(Note):
    """A text in a file.

    name: path of the file.
    text: what is in it.
    colour: that there was once.

    Sends `size`: how many bytes it has.
    """


class TestOutdated(TestNote):
    of = Outdated
    fails = "test_its_docstring_explains_each_param_and_no_other"


class Taciturn(Note):
    """A text in a file.

    name: path of the file.
    text: what is in it.

    Sends how many bytes it has.
    """


class TestTaciturn(TestNote):
    of = Taciturn
    fails = "test_its_docstring_says_what_it_sends"


class Documented(Note):
    """A text in a file.

    name: path of the file.
    text: what is in it.
    order: of whatever.
    password: what nobody may see.

    Sends `size`: how many bytes it has.
    """

    order: tuple[str, ...] = ("first", "last")
    password: Secret[str] = Secret("correct horse")


class Restless(Documented):
    __doc__ = Documented.__doc__

    def __post_init__(self) -> None:
        self.order = self.order[::-1]


class TestRestless(TestNote):
    of = Restless
    fails = "test_its_params_make_it_again"


class Talkative(Documented):
    __doc__ = Documented.__doc__

    def check(self) -> list[Change]:
        return [Change(c.attribute, c.before, self.password.reveal()) for c in super().check()]


class TestTalkative(TestNote):
    of = Talkative
    fails = "test_no_secret_is_shown"


class Meddling(Note):
    __doc__ = Note.__doc__

    def check(self) -> list[Change]:
        if not Path(f"{self.name}.looked-at").exists():
            Path(f"{self.name}.looked-at").touch()
        return super().check()


class TestMeddling(TestNote):
    of = Meddling
    fails = "test_a_check_alone_changes_nothing"


class Halfway(Note):
    __doc__ = Note.__doc__

    def apply(self, changes: list[Change]) -> None:
        self.write() if Path(self.name).exists() else self.write("half")


class TestHalfway(TestNote):
    of = Halfway
    fails = "test_one_apply_is_enough"


class Believing(Note):
    __doc__ = Note.__doc__

    def check(self) -> list[Change]:
        believed = self.memory.get("believed")
        return super().check() + ([] if believed else [Change("mode", "0644", "0600")])

    def apply(self, changes: list[Change]) -> None:
        self.write()
        self.memory["believed"] = True


class TestBelieving(TestNote):
    of = Believing
    fails = "test_what_was_found_is_as_declared_for_whoever_looks_next"


class Changeable(Note):
    __doc__ = Note.__doc__

    @hookimpl
    async def check_apply(self, apply: bool) -> list[Change]:
        changes = await super().check_apply(apply)
        return [Change("text", None, "done") for _ in changes] if apply else changes


class TestChangeable(TestNote):
    of = Changeable
    fails = "test_an_apply_does_what_the_plan_said"


class Deaf(Note):
    __doc__ = Note.__doc__

    @hookimpl
    def watch(self) -> Subscription:
        return Still()


class TestDeaf(TestNote):
    of = Deaf
    patience = 0.2
    fails = "test_the_watch_tells_of_a_disturbance_that_is_then_repaired"


class Secretive(Note):
    __doc__ = Note.__doc__

    def check(self) -> list[Change]:
        return [] if self.meta.noop else super().check()


class TestSecretive(TestNote):
    of = Secretive
    fails = "test_noop_changes_nothing_and_notifies_nobody"


class Leaking(Note):
    __doc__ = Note.__doc__

    def apply(self, changes: list[Change]) -> None:
        self.write()
        os.open(self.name, os.O_RDONLY)


class TestLeaking(TestNote):
    of = Leaking
    fails = "test_cycles_leak_nothing"


class Careless(Note):
    __doc__ = Note.__doc__

    async def apply(self, changes: list[Change]) -> None:
        beside = asyncio.create_task(asyncio.sleep(1000))
        await asyncio.sleep(0)
        self.write()
        beside.cancel()


class TestCareless(TestNote):
    of = Careless
    fails = "test_cancelled_anywhere_it_leaves_nothing_and_converges_later"


class Locking(Note):
    __doc__ = Note.__doc__

    def apply(self, changes: list[Change]) -> None:
        lock = f"{self.name}.lock"
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
        self.write()
        os.unlink(lock)


class TestLocking(TestNote):
    of = Locking
    fails = "test_killed_anywhere_it_converges_again"


class Torn(Note):
    """What is there is good enough: a text that was written halfway stays."""

    __doc__ = Note.__doc__

    def check(self) -> list[Change]:
        return [] if Path(self.name).exists() else super().check()

    def apply(self, changes: list[Change]) -> None:
        with open(self.name, "w") as file:
            file.write(self.text[:5])
            file.flush()
            file.write(self.text[5:])


class TestTorn(TestNote):
    of = Torn
    fails = "test_killed_anywhere_it_converges_again"


class Lordly(Note):
    __doc__ = Note.__doc__

    def apply(self, changes: list[Change]) -> None:
        self.write(self.text if os.geteuid() == 0 else None.text)


class TestLordly(TestNote):
    of = Lordly
    fails = "test_who_is_not_root_is_told_plainly"

    def restarted(self, resource, state=""):
        """Let nobody have a place to write in."""
        again = super().restarted(resource, state)
        return again if not state else self.of(f"{state}/note", _host=again.host)


class Terse(Lordly):
    __doc__ = Note.__doc__

    def apply(self, changes: list[Change]) -> None:
        if os.geteuid() != 0:
            raise PermissionError(1, "not permitted")
        self.write()


class TestTerse(TestLordly):
    of = Terse
    refuses_others = True
