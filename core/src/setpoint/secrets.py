"""Secrets that graphs name: texts from files, from the environment, or from programs.

They are facts, followed like any other, and each value is a `Secret`. What cannot be had is told without what is in it;
the value of before stands until there is another one. An empty text is none: it is what a file has while it is written.
"""

import asyncio
import os
import shlex
from collections.abc import AsyncGenerator, Mapping
from typing import Annotated, Any

import msgspec

from setpoint.declarations.facts import accepted
from setpoint.declarations.types import show
from setpoint.declarations.written import Map, Source, value_at
from setpoint.errors import ParamError, Problem, Refused, suggest
from setpoint.processes import TookTooLong
from setpoint.resource import Fact
from setpoint.values import Secret
from setpoint.watching import Still, Subscription
from setpoint.watching.every import Every

MAX_BYTES = 1_000_000  # as long as a text of an expression may be
OTHERS = 0o007
TOLD = "told"  # that it is missing, in the memory of a fact


class SecretFile(Fact):
    """The text of a file, without a newline at its end.

    The file may come later, and may be replaced: it is followed, through symlinks that root or this process owns. Who
    writes it puts a new file in its place, as a half of it would be taken for the whole. If others than its owner and
    group may read or write it, that is told, and no more: what mounts secrets in containers makes them so.

    name: the path, absolute.

    Value: up to 1000000 bytes of UTF-8.
    """

    kind = "secret:file"
    Value = Secret[str]

    def __post_init__(self) -> None:
        if isinstance(self.name, str) and not self.name.startswith("/"):
            raise ParamError("name", f"must be an absolute path, not {self.name!r}")

    async def watch(self) -> AsyncGenerator[Secret[str], None]:
        """Yield what is in it, and what is in the one that takes its place.

        Raises:
            OSError: it is not there, which is told once and then waited for, cannot be read, or is no text.
            Refused: a symlink of somebody else is on the way, or it is no file.

        """
        async for _ in self.host.files.changes(self.name):
            try:
                text = await self.host.in_thread(self._read)
            except (FileNotFoundError, NotADirectoryError):
                self._miss()
            else:
                self.__dict__.pop(TOLD, None)
                yield Secret(text)

    def _miss(self) -> None:
        """Fail once; who begins anew then waits for it."""
        if TOLD not in self.__dict__:
            self.__dict__[TOLD] = True
            raise FileNotFoundError(f"there is no {self.name}")

    def _read(self) -> str:
        with open(self.host.files.open(self.name, follow=True), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o7777
            if mode & OTHERS and self.__dict__.get("mode") != mode:
                rule = f"others may read or write {self.name}, its mode is {mode:04o}"
                self.host.log(self).warning("%s; take that from them by chmod 600", rule)
            self.__dict__["mode"] = mode
            return _text(self.name, file.read(MAX_BYTES + 1))


class SecretEnv(Fact):
    """The value of an environment variable of this process, without a newline at its end.

    Other users of the machine cannot read it there, but all that this process starts by other ways than Setpoint's
    inherits it: a file is better.

    name: the variable.

    Value: up to 1000000 bytes of UTF-8.
    """

    kind = "secret:env"
    Value = Secret[str]

    async def watch(self) -> AsyncGenerator[Secret[str], None]:
        """Yield it; it does not change.

        Raises:
            Refused: there is none.
            OSError: it is no text.

        """
        value = os.environb.get(self.name.encode())
        if value is None:
            raise Refused(f"the environment has no {self.name}", "set it, and start anew")
        yield Secret(_text(self.name, value))
        await asyncio.get_running_loop().create_future()


class SecretExec(Fact):
    """What a program prints, without a newline at its end.

    It gets a PATH of the usual folders, what `env` says, and nothing else; no shell expands anything. What it says on
    its standard error is not shown, for a secret may be in it.

    name: the program and its arguments, as words that are split like a shell does it; or a list of them.
    env: its environment beside PATH, which it may replace; empty adds nothing.
    timeout: seconds that it may take, 0.1 to 86400.
    every: seconds from its end to its next beginning, 1 to 31536000; 0: it is run once.

    Value: up to 1000000 bytes of UTF-8.
    """

    kind = "secret:exec"
    Value = Secret[str]
    env: dict[str, str] = msgspec.field(default_factory=dict)
    timeout: Annotated[float, msgspec.Meta(ge=0.1, le=86_400)] = 30.0
    every: Annotated[float, msgspec.Meta(ge=0, le=31_536_000)] = 0.0

    def __post_init__(self) -> None:
        if 0 < self.every < 1:
            raise ParamError("every", f"must be 0, or 1 or more, not {self.every:g}")
        try:
            words = shlex.split(self.name)
        except ValueError as error:
            rule = f"must be words as a shell has them, found {str(error).lower()}"
            raise ParamError("name", rule, "close it, or put a backslash before it") from None
        if not words or not words[0]:
            raise ParamError("name", f"must be a command, not {self.name!r}")

    async def watch(self) -> AsyncGenerator[Secret[str], None]:
        """Yield what it prints, each time it is run.

        Raises:
            OSError: it cannot be run, fails, takes too long, or prints no text.

        """
        again: Subscription = Every(self.every) if self.every else Still()
        async for _ in again:
            yield Secret(await self._printed())

    async def _printed(self) -> str:
        argv = shlex.split(self.name)
        run = self.host.processes.run
        try:
            # One byte more is kept than may be there, so that what was dropped is seen by its length.
            done = await run(argv, timeout=self.timeout, limit=MAX_BYTES + 2, env=self.env)
        except TookTooLong:  # it tells what the program said
            rule = f"{argv[0]}: must end within {self.timeout:g} s, was stopped"
            raise TimeoutError(f"{rule}; run it by hand to see why") from None
        if done.code:
            raise OSError(f"{argv[0]}: must exit with 0, found {done}; run it by hand to see why")
        if "\ufffd" in done.stdout:  # what stands for bytes that are no UTF-8
            raise OSError(f"{argv[0]}: must print UTF-8; have it print base64")
        return _text(argv[0], done.stdout.encode())


SORTS: Mapping[str, type[Fact]] = {"file": SecretFile, "env": SecretEnv, "exec": SecretExec}


def declared(name: str, body: Any, source: Source, at: int, problems: list[Problem]) -> Fact | None:
    """Return the fact that gives the secret `name`; None if `body` is wrong, which is added to `problems`.

    Args:
        name: under which expressions read it.
        body: as it is written: `{file: PATH}`, `{env: NAME}`, `{exec: COMMAND}`, each with what it is about, or a map
            of `name` and params.
        source: the text.
        at: where `body` is in it.
        problems: what is wrong with the file.

    """
    if isinstance(body, Map) and len(body) > 1:
        rule = f"the secret {name} comes from one of {', '.join(SORTS)}, not from {len(body)}"
        problems.append(source.problem(at, f"{rule}; params stand below it"))
        return None
    if not isinstance(body, Map) or not body:
        rule = f"the secret {name} must be a map of {', '.join(SORTS)} to what it is about"
        problems.append(source.problem(at, f"{rule}, not {show(body)}; write {{ file: PATH }}"))
        return None
    [(sort, about, sort_at, about_at)] = body.entries()
    if sort not in SORTS:
        rule = f"a secret comes from {', '.join(SORTS)}, not from {sort!r}; {suggest(sort, SORTS)}"
        problems.append(source.problem(sort_at, rule.removesuffix("; ")))
        return None
    given = about
    if not isinstance(about, Map):
        given = Map.new(about_at)
        given.put("name", about, about_at, about_at)
    return _made(name, SORTS[sort], given, source, sort_at, problems)


def _made(
    name: str, kind: type[Fact], given: Map, source: Source, at: int, problems: list[Problem]
) -> Fact | None:
    before, about = len(problems), given.get("name", "")
    if kind is SecretExec and isinstance(about, list) and all(isinstance(w, str) for w in about):
        about = shlex.join(about)
    if not isinstance(about, str) or not about:
        rule = f"the secret {name}: name must be text that is not empty, not {show(about)}"
        problems.append(source.problem(value_at(given, "name", at), rule))
    params = Map.new(given.at)
    for param, value, place, value_place in given.entries():
        if param != "name":
            params.put(param, value, place, value_place)
    values = accepted(kind, params, source, at, problems)
    if len(problems) > before:
        return None
    try:
        return kind(about, **values)
    except ParamError as error:
        place = value_at(given, error.param, at)
        problems.append(source.problem(place, f"the secret {name}: {error}"))
        return None


def _text(what: str, value: bytes) -> str:
    """Return the text of a secret, `value` as `what` has it.

    Raises:
        OSError: it is none, or too long; never with anything of it.

    """
    if len(value) > MAX_BYTES:
        raise OSError(f"{what}: a secret has up to {MAX_BYTES} bytes, and this has more")
    try:
        text = value.decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise OSError(
            f"{what}: a secret is text, and this is no UTF-8; keep it as base64"
        ) from None
    if not text:
        raise OSError(f"{what}: a secret has something in it, and this is empty")
    return text
