"""Kinds with params of every type, and graphs made of text."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

from setpoint import Change, Fact, ParamError, Resource, Secret, Values, graphfile, hookimpl
from setpoint.graph import Graph
from setpoint.plugins import Plugins


class Still(Resource):
    """Something that is always as declared."""

    kind = "still"

    def check(self) -> list[Change]:
        return []


class File(Still):
    kind = "file"
    path: Annotated[str, msgspec.Meta(extra={"rewatch": True})] = ""
    content: str | None = None
    mode: str = ""
    owner: str = ""
    group: str = ""
    source: str = ""
    state: Literal["", "exists", "absent"] = ""
    recurse: bool = False
    force: bool = False
    fragments: list[str] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        if self.mode is not msgspec.UNSET and self.mode.strip("01234567"):
            raise ParamError("mode", f"must be from 0 to 07777, not {self.mode!r}", 'write "0644"')
        if self.source and self.content:
            raise ValueError("content and source do not go together; take one out")


class Password(Still):
    kind = "password"
    length: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    saved: bool = False

    class Sends(Values):
        password: Secret[str]
        length: int
        pin: Secret[int]

    @hookimpl
    def send(self) -> Values:
        return self.Sends(password=Secret("x" * self.length), length=self.length, pin=Secret(1))


class Noop(Still):
    kind = "noop"
    comment: str = ""


class Exec(Still):
    kind = "exec"
    cmd: str = ""
    args: tuple[str, ...] = ()
    shell: bool | str = False
    cwd: str = ""
    env: dict[str, str] = msgspec.field(default_factory=dict)
    onlyif: str = ""
    unless: str = ""
    watchcmd: str = ""
    timeout: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    returns: list[Annotated[int, msgspec.Meta(ge=0, le=255)]] = msgspec.field(default_factory=list)

    class Sends(Values):
        stdout: str
        code: int
        lines: list[str]

    @hookimpl
    def send(self) -> Values:
        return self.Sends(stdout="", code=0, lines=[])


class Timer(Still):
    kind = "timer"
    interval: Annotated[float, msgspec.Meta(gt=0)]


class Key(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["rsa", "ed25519"]
    data: str = ""


class User(Still):
    kind = "user"
    uid: int | None = None
    password: Secret[str] | None = None
    key: Key | None = None
    anything: Any = None


class Odd(Still):
    """A kind whose author made a mistake."""

    kind = "odd"
    number: int = 0

    def __post_init__(self) -> None:
        if self.number == 7:
            raise TypeError("unsupported operand")


KINDS = (File, Password, Noop, Exec, Timer, User, Odd)


class Load(Fact):
    """How busy it is."""

    kind = "load"
    every: Annotated[float, msgspec.Meta(ge=0.1)] = 5.0

    class Value(Values):
        x1: float
        x5: float
        x15: float


class Disk(Values):
    device: str
    used: int


class Disks(Fact):
    """What is mounted."""

    kind = "disks"
    Value = list[Disk]


class Hostname(Fact):
    """What it is called."""

    kind = "hostname"
    Value = str


class About(Fact):
    """What is known of one file."""

    kind = "file"

    class Value(Values):
        exists: bool
        content: str

    def __post_init__(self) -> None:
        if not self.name.startswith("/"):
            raise ParamError("name", f"must be an absolute path, not {self.name!r}")


FACTS: dict[str, type[Fact]] = {fact.kind: fact for fact in (Load, Disks, Hostname, About)}


class Known(Plugins):
    """With facts that no distribution brings."""

    def facts(self) -> dict[str, Any]:
        return dict.fromkeys(FACTS)

    def fact(self, name: str) -> type[Fact]:
        return FACTS[name] if name in FACTS else super().fact(name)


@pytest.fixture(scope="session")
def plugins() -> Plugins:
    found = Known(path=[])
    found.add(*KINDS)
    return found


@pytest.fixture
def load(plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Graph]:
    """Return the graph of texts, each a file: the first a.yaml, the second b.yaml."""
    monkeypatch.chdir(tmp_path)

    def loaded(*texts: str | bytes) -> Graph:
        paths = [Path(f"{'abcdef'[number]}.yaml") for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return graphfile.load(paths, plugins)

    return loaded
