"""Secrets are nowhere but where they were sent: canaries that every sink is searched for."""

import base64
import json
import os
import shlex
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest

CONSTANT = "Tr0ub4dor&3-in-clear"  # stands in the graph file itself
KEPT = ("kept-in-'a'-vault-1", "kept-in-'a'-vault-2")  # what a fact tells, one after the other
PIECE = 12  # so many characters of a secret in a row are a leak too
ODD = "abcdefgh'\"\\$&<> `"  # what is written in other ways by repr, JSON and shells

LEAKY = """\
    import asyncio
    import logging

    from setpoint import Change, ParamError, Resource, Secret, Values, hookimpl

    log = logging.getLogger("leaky")


    class Unseen:
        def __init__(self, text):
            self.text = text

        def __repr__(self):
            return f"Unseen({self.text!r})"


    class Leaky(Resource):
        kind = "leaky"

        token: Secret[str] = Secret("")
        plain: str = ""

        @property
        def _text(self):
            return self.token.reveal() + self.plain

        @hookimpl
        async def watch(self):
            yield
            if self.name.endswith("watch"):
                raise RuntimeError(f"watching with {self._text}")

        async def check(self):
            self.host.progress(self, f"looking with {self._text}")
            self.host.log(self).warning("looking with %s", self._text)
            self.host.log(self).debug("looking with %r", self._text)
            if self.name.endswith("check"):
                raise RuntimeError(f"checking with {self._text}")
            if self.name.endswith("repr"):
                raise RuntimeError(f"checking with {self._text!r}")
            if self.name.endswith("line"):
                raise OSError(5, "not today", self._text)
            if self.name.endswith("cause"):
                try:
                    raise RuntimeError(self._text)
                except RuntimeError as error:
                    raise LookupError("see below") from error
            if self.name.endswith("nonsense"):
                return [self._text]
            if self.name.endswith("task"):
                asyncio.create_task(self._fail())
                await asyncio.sleep(0)
            return [
                Change("token", self._text, self._text),
                Change("other", None, f"with {self._text}"),
                Change("bytes", None, self._text.encode()),
                Change("many", None, [self._text]),
                Change("map", None, {self._text: self._text}),
                Change("thing", None, Unseen(self._text)),
            ]

        async def _fail(self):
            raise RuntimeError(f"in a task with {self._text}")

        async def apply(self, changes):
            if self.name.endswith("apply"):
                raise RuntimeError(f"{changes}")
    """
STRICT = """\
    from typing import Annotated

    import msgspec

    from setpoint import Change, ParamError, Resource, Secret


    class Strict(Resource):
        kind = "strict"

        token: Annotated[Secret[str], "what is needed"]
        other: Secret[Annotated[str, msgspec.Meta(max_length=3)]] = Secret("")
        number: int = 0

        def __post_init__(self):
            if self.name.endswith("param"):
                raise ParamError("token", f"must be better than {self.token.reveal()!r}")
            if self.name.endswith("value"):
                raise ValueError(f"must be better than {self.token.reveal()}")
            if self.name.endswith("bug"):
                raise RuntimeError(f"cannot do with {self.token.reveal()!r}")

        def check(self):
            return []
    """
VAULT = """\
    from setpoint import Fact, Secret


    class Vault(Fact):
        kind = "vault"
        Value = Secret[str]

        async def watch(self):
            async for _ in self.host.files.changes(self.name):
                yield Secret(self.host.files.read(self.name).decode())
    """
LOGGER = """\
    import logging
    import os

    from setpoint import hookimpl

    logging.basicConfig(filename=os.environ["LOG"], level=logging.DEBUG)


    @hookimpl
    async def check_apply(resource, proceed):
        try:
            return await proceed()
        finally:
            logging.debug("%s %r", resource, resource)
    """
# A password is called "even" or "odd", and all that receives it too.
RECEIVERS = """\
  file HOME/ID-password:
    content: ${{ send["password ID"].password }}
    mode: "0600"
    notify: noop told
  file HOME/ID-text:
    content: "key = ${{ send['password ID'].password }}\\n"
    mode: "0600"
  exec ID reads:
    cmd: wc -c
    stdin: ${{ send["password ID"].password }}
  exec ID prints:
    cmd: cat; echo; cat HOME/ID-password >&2
    shell: true
    require: file HOME/ID-password
    stdin: ${{ send["password ID"].password }}
  exec ID fails:
    cmd: cat; cat HOME/ID-password >&2; exit 3
    shell: true
    require: file HOME/ID-password
    stdin: ${{ send["password ID"].password }}
  exec ID hangs:
    cmd: cat; exec sleep 60
    shell: true
    timeout: 0.3
    stdin: ${{ send["password ID"].password }}
  exec ID sends:
    cmd: cat
    stdin: ${{ send["password ID"].password }}
  file HOME/ID-sent:
    content: ${{ send["exec ID sends"].stdout }}
    mode: "0600"
  msg ID:
    body: got ${{ send["password ID"].password }} and told
    require: file HOME/ID-text
    listen: file HOME/ID-text
"""
# What a fact tells goes into params of any type.
KEEPERS = """\
  file HOME/vault-password:
    content: ${{ facts.kept }}
    mode: "0600"
    meta: { reverse: true }
  file HOME/vault-text:
    content: "key = ${{ facts.kept }}\\nuser = somebody\\n"
    mode: "0600"
  exec vault prints:
    cmd: echo "$KEPT"
    shell: true
    env: { KEPT: "${{ facts.kept }}" }
  msg vault:
    body: kept ${{ facts.kept }} and told
  exec vault fails:
    cmd: cat; exit 3
    shell: true
    stdin: ${{ facts.kept + send["password even"].password }}
"""
VICES = "check repr line cause nonsense task apply watch fine".split()
COPIES = [("constant", "state/generations/1.json")]  # what has the text of the graph file
TARGETS = ("password", "text", "sent")


def graph() -> str:
    text = "facts:\n  kept: { vault: HOME/vault }\n"
    text += f"resources:\n  noop told:\n  password even:\n  password odd:\n    alphabet: {json.dumps(ODD)}\n"
    for id_ in ("even", "odd"):
        text += RECEIVERS.replace("ID", id_)
        received = f"${{{{ send['password {id_}'].password }}}}"
        for vice in VICES:
            text += f"  leaky {id_} token {vice}:\n    token: {received}\n"
            text += f"  leaky {id_} plain {vice}:\n    plain: see {received}\n"
    text += KEEPERS
    for vice in VICES:
        text += f"  leaky vault token {vice}:\n    token: ${{{{ facts.kept }}}}\n"
        text += f"  leaky vault plain {vice}:\n    plain: see ${{{{ facts.kept }}}}\n"
    return text + "".join(f"  leaky const {v}:\n    token: {CONSTANT}\n" for v in VICES)


@contextmanager
def command_lines() -> Iterator[set[str]]:
    """Give the command lines of all processes that there are meanwhile."""
    seen: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            for pid in filter(str.isdecimal, os.listdir("/proc")):
                with suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:  # it may end
                    seen.add(file.read().replace(b"\0", b" ").decode(errors="replace"))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


class Searched(NamedTuple):
    """What was said and kept, by where; and the secrets that are not to be there."""

    sinks: dict[str, str]
    secrets: dict[str, str]


def leaks(text: str, secret: str) -> list[str]:
    """Return in which forms `secret`, or a piece of it, is in `text`."""
    forms = {
        "as it is": secret,
        "repr": repr(secret)[1:-1],
        "JSON": json.dumps(secret)[1:-1],
        "JSON of repr": json.dumps(repr(secret)[1:-1])[1:-1],
        "shell": shlex.quote(secret)[1:-1],
        "URL": quote(secret),
        "base64": base64.b64encode(secret.encode()).decode()[:-4],
    }
    return [
        f"{name}: {form[at : at + PIECE]}"
        for name, form in forms.items()
        for at in range(len(form) - PIECE + 1)
        if form[at : at + PIECE] in text
    ][:3]


def stored(place, id_: str) -> str:
    """Return the password that was made."""
    found = next(place.state.glob(f"resources/password/{id_}+*/password"))
    assert stat.S_IMODE(found.stat().st_mode) == 0o600
    assert stat.S_IMODE(found.parent.stat().st_mode) == 0o700
    password: str = json.loads(found.read_bytes())["password"]
    return password


def keep(place, number: int) -> None:
    """Have the fact tell one of its secrets."""
    new = place.home / "vault.new"
    new.write_text(KEPT[number])
    new.rename(place.home / "vault")


def drift(place) -> None:
    for path in place.home.glob("*-text"):
        path.write_text("key = other\n")


@pytest.fixture(scope="module")
def searched(there) -> Searched:
    there.install("leaky", LEAKY, kinds="leaky = MODULE:Leaky")
    there.install("logger", LOGGER, plugins="logger = MODULE")
    there.variables["LOG"] = str(there.home / "log")
    there.install("vault", VAULT, facts="vault = MODULE:Vault")
    keep(there, 0)
    there.write(graph())
    said = {}
    with command_lines() as seen:
        said["plan before"] = there.call("plan").said
        running = there.start("run")
        running.out.until("converged: ")
        drift(there)
        running.out.until("file " + str(there.home / "odd-text"))
        keep(there, 1)  # another graph takes the place of the one that runs
        running.out.until("file " + str(there.home / "vault-text"))
        said["status meanwhile"] = there.call("status").said
        said["status --json meanwhile"] = there.call("status", "--json").said
        said["explain meanwhile"] = there.call("explain", "--since", "1h").said
        said["run"] = running.stop().said
        drift(there)
        for command in ("plan", "apply", "status"):
            said[f"{command} --json"] = there.call(command, "--json").said
        drift(there)
        said["plan"] = there.call("plan").said
        said["saved plan"] = there.call("plan", "--out", str(there.home / "site.plan")).said
        said["apply"] = there.call("apply").said
        said["explain"] = there.call("explain", "--since", "1h").said
        said["explain --json"] = there.call("explain", "--since", "1h", "--json").said
        said["explain"] = there.call("explain", "--since", "1h").said
        said["explain --json"] = there.call("explain", "--json", "--since", "1h").said
        graphs = {
            form: there.start("graph", "--format", form) for form in ("dot", "mermaid", "json")
        }
        said |= {f"graph as {form}": running.end().said for form, running in graphs.items()}
    said["argv"] = "\n".join(seen)
    targets = {f"{id_}-{target}" for id_ in ("even", "odd", "vault") for target in TARGETS}
    for path in there.home.rglob("*"):
        if path.is_file() and path.name not in {*targets, "password", "graph.yaml", "vault"}:
            said[str(path.relative_to(there.home))] = path.read_bytes().decode(errors="replace")
    known = {"constant": CONSTANT, "kept 1": KEPT[0], "kept 2": KEPT[1]}
    secrets = {**known, **{id_: stored(there, id_) for id_ in ("even", "odd")}}
    return Searched(said, secrets)


def test_no_sink_has_a_secret_or_a_piece_of_one(searched, there):
    found = {
        f"{name} in {sink}": hits
        for sink, text in searched.sinks.items()
        for name, secret in searched.secrets.items()
        if (hits := leaks(text, secret)) and (name, sink) not in COPIES
    }
    assert found == {}
    for _, copy in COPIES:
        assert stat.S_IMODE((there.home / copy).stat().st_mode) == 0o600


def test_the_sinks_are_those_that_count_and_have_something_to_hide(searched):
    sinks = searched.sinks
    assert {"journal.db", "log", "site.plan"} <= {Path(name).name for name in sinks}
    assert "exec odd prints" in sinks["log"]
    assert "vault-text" in sinks["explain"]
    for said in ("got", "kept"):
        assert f"{said} (secret) and told" in sinks["run"]
    explained = ("explain meanwhile", "explain", "explain --json")
    for sink in (
        "run",
        "apply",
        "apply --json",
        "plan",
        "plan --json",
        "status",
        "log",
        *explained,
    ):
        assert sinks.get(sink, sinks.get("status --json", "")).count("(secret)") > 5, sink
    assert any("sleep 60" in line for line in sinks["argv"].splitlines())


def test_what_was_to_get_a_secret_has_it_and_nobody_else_may_read_it(searched, there):
    for id_ in ("even", "odd"):
        secret = searched.secrets[id_]
        assert (there.home / f"{id_}-password").read_text() == secret
        assert (there.home / f"{id_}-text").read_text() == f"key = {secret}\n"
        assert (there.home / f"{id_}-sent").read_text() == secret
        for target in TARGETS:
            assert stat.S_IMODE((there.home / f"{id_}-{target}").stat().st_mode) == 0o600


def test_a_secret_of_a_fact_is_where_it_is_to_be_and_the_text_around_it_is_seen(searched, there):
    assert (there.home / "vault-password").read_text() == KEPT[1]
    assert (there.home / "vault-text").read_text() == f"key = {KEPT[1]}\nuser = somebody\n"
    record = next(there.state.glob("resources/file/*vault-password*/reverse.json"))
    assert "content" not in json.loads(record.read_bytes())["declared"]


# -- graphs that are wrong

REFUSED = ("param", "value", "bug")  # how the kind itself refuses what is right so far
WRONG = (
    "token: 8273645190827364",
    "token: [hunter2-hunter2-hunter2]",
    "token: { key: hunter2-hunter2-hunter2 }",
    "token: x\n    other: hunter2-hunter2-hunter2",
    "{ token: hunter2-hunter2-hunter2, bogus: 1 }",
    "{ token: hunter2-hunter2-hunter2, number: many }",
    "token: hunter2-hunter2-hunter2\n    number: many",
    "token: hunter2-hunter2-hunter2",
    "token: ${{ password }}\n    other: ${{ password }}",
)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_wrong_graphs_are_told_without_their_secrets(options, here):
    here.install("strict", STRICT, kinds="strict = MODULE:Strict")
    text = "vars:\n  password: hunter2-hunter2-hunter2\nresources:\n"
    for number, body in enumerate(WRONG):
        shown = f" {body}" if body[0] == "{" else f"\n    {body}"
        text += "".join(f"  strict {number} {name}:{shown}\n" for name in REFUSED)
    here.write(text)
    ended = here.call("check", *options)
    assert ended.code == 1
    for number in range(len(WRONG)):
        for name in REFUSED:
            assert f"strict {number} {name}: " in ended.said
    for secret in ("hunter2-hunter2-hunter2", "8273645190827364"):
        assert leaks(ended.said, secret) == []
