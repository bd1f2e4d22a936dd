"""The resource `msg` against a real journal, and against real sockets in the place of syslog."""

import json
import re
import socket
from contextlib import closing

import pytest

import setpoint_msg
from setpoint import ParamError, Secret
from setpoint.plan import plan
from setpoint.plugins import Plugins
from setpoint.testing import ResourceSuite
from setpoint_msg import LONGEST, Msg


@pytest.fixture
def declare(host):
    def declared(body="hello", **params):
        return Msg("greeting", body=body, _host=host, **params)

    return declared


class Syslog:
    """What listens in the place of /dev/log."""

    def __init__(self, path, sort):
        self.path, self.socket = path, socket.socket(socket.AF_UNIX, sort)
        self.socket.settimeout(5)
        self.socket.bind(str(path))

    def heard(self):
        """Return all that was sent so far."""
        self.socket.setblocking(False)
        texts = []
        try:
            while True:
                texts.append(self.socket.recv(1 << 18).decode())
        except BlockingIOError:
            return texts


@pytest.fixture
def syslog(tmp_path, monkeypatch):
    monkeypatch.setattr(setpoint_msg, "SYSLOG", str(tmp_path / "log"))
    listening = Syslog(tmp_path / "log", socket.SOCK_DGRAM)
    with closing(listening.socket):
        yield listening


class TestMsg(ResourceSuite):
    watches = False

    @pytest.fixture
    def resource(self, declare, syslog):
        self.syslog, self.heard = syslog, set()
        return declare("something happened", syslog=True, stdout=True)

    async def disturb(self, resource):
        """Forget what was said; what was heard cannot be taken back."""
        for file in resource.host.state_directory(resource).iterdir():
            file.unlink()

    def observe(self, resource):
        """Return what was ever heard: a repair says things again."""
        self.heard.update(re.sub(r".*: ", "", text) for text in self.syslog.heard())
        return frozenset(self.heard)


# when it is said


async def test_it_is_said_once_however_often_it_is_looked_at(declare, syslog):
    for _ in range(3):
        await declare(syslog=True).check_apply(apply=True)
    assert len(syslog.heard()) == 1


@pytest.mark.parametrize("params", [{"body": "other"}, {"priority": "err"}])
async def test_what_has_become_another_is_said_again(declare, syslog, params):
    await declare(syslog=True).check_apply(apply=True)
    await declare(syslog=True, **params).check_apply(apply=True)
    assert len(syslog.heard()) == 2


async def test_each_notification_says_it_again(declare, syslog):
    resource = declare(syslog=True)
    for _ in range(3):
        await resource.check_apply(apply=True)
        resource.refresh()
    assert len(syslog.heard()) == 3  # the first notification came when it had just been said


async def test_a_place_that_is_new_hears_it_and_the_others_not_again(declare, syslog, capsys):
    await declare().check_apply(apply=True)
    resource = declare(syslog=True, stdout=True)
    await resource.check_apply(apply=True)
    assert (capsys.readouterr().out, len(syslog.heard())) == ("hello\n", 1)
    resource.refresh()
    assert (capsys.readouterr().out, len(syslog.heard())) == ("hello\n", 0)


async def test_who_has_heard_it_does_not_hear_it_again_when_another_could_not(
    declare, syslog, tmp_path, monkeypatch
):  # fmt: skip
    monkeypatch.setattr(setpoint_msg, "SYSLOG", str(tmp_path / "none"))
    monkeypatch.setattr(setpoint_msg, "JOURNAL", str(syslog.path))
    resource = declare(journal=True, syslog=True)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await resource.check_apply(apply=True)
    assert len(syslog.heard()) == 1


async def test_a_damaged_memory_is_as_none(declare, host, capsys):
    await declare().check_apply(apply=True)
    (file,) = host.state_directory(declare()).iterdir()
    file.write_bytes(b"[")
    await declare().check_apply(apply=True)
    assert capsys.readouterr().out == "hello\n" * 2


# how it is said


async def test_without_another_place_it_is_printed_and_the_name_is_the_text(host, capsys):
    await Msg("the site is up", _host=host).check_apply(apply=True)
    assert capsys.readouterr().out == "the site is up\n"


async def test_a_terminal_is_told_nothing_that_it_obeys(declare, capsys):
    await declare("red \33[31m\ttab\nline ä").check_apply(apply=True)
    assert capsys.readouterr().out == "red \\x1b[31m\ttab\nline ä\n"


async def test_syslog_gets_what_every_program_sends_it(declare, syslog, capsys):
    await declare("disk full", priority="crit", syslog=True).check_apply(apply=True)
    (text,) = syslog.heard()
    assert re.fullmatch(r"<10>\w{3} [ \d]\d \d\d:\d\d:\d\d setpoint\[\d+\]: disk full", text)
    assert capsys.readouterr().out == ""


async def test_a_syslog_that_wants_a_stream_gets_one(declare, tmp_path, monkeypatch):
    monkeypatch.setattr(setpoint_msg, "SYSLOG", str(tmp_path / "stream"))
    syslog = Syslog(tmp_path / "stream", socket.SOCK_STREAM)
    with closing(syslog.socket):
        syslog.socket.listen()
        await declare("disk full", syslog=True).check_apply(apply=True)
        with syslog.socket.accept()[0] as connection:
            assert connection.recv(4096).endswith(b": disk full\0")


async def test_the_longest_text_arrives_whole(declare, syslog):
    await declare("x" * LONGEST, syslog=True).check_apply(apply=True)
    assert syslog.heard()[0].endswith(": " + "x" * LONGEST)


@pytest.mark.root
class TestJournal:
    @pytest.fixture
    def entries(self, systemd, monkeypatch):
        """Return what the journal of a booted systemd has with a field."""
        monkeypatch.setattr(setpoint_msg, "JOURNAL", f"{systemd.root}{setpoint_msg.JOURNAL}")

        def found(match):
            systemd.run(["journalctl", "--sync"])
            ran = systemd.run(["journalctl", "--output=json", "--all", match])
            return [json.loads(line) for line in ran.stdout.splitlines()]

        return found

    async def test_it_gets_the_text_the_priority_and_the_fields(self, declare, entries):
        text = "two\nlines = ä"
        fields = {"app_name": "one", "APP_TEXT": "a\n\nb"}
        await declare(text, priority="warning", fields=fields, journal=True).check_apply(apply=True)
        (entry,) = entries("APP_NAME=one")
        assert (entry["MESSAGE"], entry["PRIORITY"], entry["APP_TEXT"]) == (text, "4", "a\n\nb")
        assert (entry["SYSLOG_IDENTIFIER"], entry["_TRANSPORT"]) == ("setpoint", "journal")

    async def test_fields_that_change_are_another_message(self, declare, entries):
        for text in ("one", "two", "two"):
            resource = declare(fields={"A": "change", "B": text}, journal=True)
            await resource.check_apply(apply=True)
        assert [entry["B"] for entry in entries("A=change")] == ["one", "two"]

    async def test_the_longest_text_with_the_longest_fields_arrives(self, declare, entries):
        resource = declare("x" * LONGEST, fields={"LONG": "y" * (LONGEST - 4)}, journal=True)
        await resource.check_apply(apply=True)
        (entry,) = entries("LONG=" + "y" * (LONGEST - 4))
        assert entry["MESSAGE"] == "x" * LONGEST


# secrets


async def test_a_secret_is_said_nowhere(engine, declare, syslog, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(setpoint_msg, "JOURNAL", str(tmp_path / "journal"))
    journal = Syslog(tmp_path / "journal", socket.SOCK_DGRAM)
    with closing(journal.socket):
        places = {"stdout": True, "syslog": True, "journal": True}
        resource = declare("key hunter2 set", fields={"KEY": "hunter2"}, **places)
        graph = with_secrets(engine.graph(resource), "hunter2")
        plugins = Plugins(path=[])
        plugins.add(Msg)
        (step,) = (await plan(graph, plugins=plugins, host=engine.host)).steps
        assert {change.after for change in step.changes} == {"info: key (secret) set"}
        await engine.make(graph, converged_timeout=0).run()
        (sent,) = journal.heard()
    assert "\nKEY=(secret)\n" in sent
    (logged,) = syslog.heard()
    (kept,) = resource.host.state_directory(resource).iterdir()
    for said in (sent, logged, capsys.readouterr().out, kept.read_text()):
        assert "key (secret) set" in said
        assert "hunter2" not in said


async def test_where_a_secret_is_too_short_to_be_found_the_whole_text_is_hidden(
    engine, declare, capsys
):
    graph = with_secrets(engine.graph(declare("pin 123")), "123")
    await engine.make(graph, converged_timeout=0).run()
    assert capsys.readouterr().out == "(secret)\n"


def with_secrets(graph, secret):
    """Return `graph`, in whose message there is a secret."""
    graph.tainted = {"msg greeting": frozenset({"body", "fields"})}
    graph.secrets.learn(Secret(secret))
    return graph


# what is wrong


@pytest.mark.parametrize("place", ["journal", "syslog"])
def test_a_machine_without_it_is_an_error(declare, tmp_path, monkeypatch, place):
    monkeypatch.setattr(setpoint_msg, place.upper(), str(tmp_path / "none"))
    with pytest.raises(
        ConnectionError, match=f"the {place} must listen at .*, which is not there; "
    ):
        declare(**{place: True}).refresh()


def test_a_socket_that_was_left_behind_is_an_error(declare, tmp_path, monkeypatch):
    monkeypatch.setattr(setpoint_msg, "SYSLOG", str(tmp_path / "left"))
    Syslog(tmp_path / "left", socket.SOCK_DGRAM).socket.close()
    with pytest.raises(ConnectionError, match="where nobody does; start it, or set syslog: false"):
        declare(syslog=True).refresh()


def test_one_that_takes_no_more_is_given_up(declare, syslog, monkeypatch):
    monkeypatch.setattr(setpoint_msg, "PATIENCE", 0.05)
    with pytest.raises(TimeoutError):
        flood(declare(syslog=True))


def flood(resource):
    while True:
        resource.refresh()


@pytest.mark.parametrize(
    ("params", "rule"),
    [
        ({"stdout": False}, "stdout must not be false without journal or syslog; set one of them"),
        ({"body": "x" * (LONGEST + 1)}, f"body must have at most {LONGEST} bytes, not 65537"),
        ({"body": "a\0b"}, "body must not have a NUL"),
        ({"fields": {"A": "b"}}, "fields must be empty without the journal; set journal: true"),
        ({"fields": {"_PID": "1"}, "journal": True}, "names of 1 to 64 letters, .* not '_PID'"),
        ({"fields": {"a b": "1"}, "journal": True}, "names of 1 to 64 letters, .* not 'A B'"),
        ({"fields": {"message": "1"}, "journal": True}, "not have 'MESSAGE', which is set anyway"),
        ({"fields": {"a": "1", "A": "2"}, "journal": True}, "not have 'A', which is there twice"),
        ({"fields": {"A": "x" * LONGEST}, "journal": True}, "at most 65536 bytes together"),
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_an_error(params, rule):
    with pytest.raises(ParamError, match=rule):
        Msg("x", **params)
