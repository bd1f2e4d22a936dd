"""The HTTP server for tests: it speaks HTTP as RFC 9110 says, and goes wrong only when it is told to."""

import http.client
import ssl
import time
from contextlib import closing
from email.utils import formatdate
from pathlib import Path

import pytest

from setpoint.testing.pages import Fault
from setpoint.testing.serving import Server

BODY = bytes(range(256)) * 40


class Client:
    """A client without any cleverness."""

    def __init__(self, server: Server, context: ssl.SSLContext | None = None) -> None:
        if server.context:
            self.connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=context)
        else:
            self.connection = http.client.HTTPConnection("127.0.0.1", server.port)

    def get(self, path: str = "/x", method: str = "GET", **headers: str) -> tuple[int, bytes]:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, headers=names)
        self.answer = self.connection.getresponse()
        return self.answer.status, self.answer.read()


@pytest.fixture
def client(http_server):
    client = Client(http_server)
    yield client
    client.connection.close()


def test_a_page_is_sent_and_written_down(http_server, client):
    http_server.put("/x", BODY, etag='"1"', modified=0)
    assert client.get() == (200, BODY)
    assert client.answer.headers["ETag"] == '"1"'
    assert client.answer.headers["Last-Modified"] == formatdate(0, usegmt=True)
    assert client.get(method="HEAD") == (200, b"")
    assert client.get("/y") == (404, b"")
    told = [(asked.method, asked.path, asked.status, asked.sent) for asked in http_server.asked]
    assert told == [("GET", "/x", 200, 10240), ("HEAD", "/x", 200, 0), ("GET", "/y", 404, 0)]
    assert http_server.bodies == 1


def test_what_the_client_has_is_not_sent(http_server, client):
    page = http_server.put("/x", BODY, etag='"1"', modified=100)
    assert client.get(If_None_Match='"0", "1"') == (304, b"")
    assert client.get(If_Modified_Since=formatdate(100, usegmt=True)) == (304, b"")
    page.etag, page.modified = '"2"', 200
    assert client.get(If_None_Match='"1"') == (200, BODY)
    assert client.get(If_Modified_Since=formatdate(100, usegmt=True)) == (200, BODY)


@pytest.mark.parametrize(
    ("asked", "part"), [("10-19", slice(10, 20)), ("10-", slice(10, None)), ("-5", slice(-5, None))]
)
def test_a_part_is_sent(http_server, client, asked, part):
    http_server.put("/x", BODY)
    assert client.get(Range=f"bytes={asked}") == (206, BODY[part])
    start, stop, _ = part.indices(len(BODY))
    assert client.answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(BODY)}"


def test_a_part_of_something_else_is_not_sent(http_server, client):
    page = http_server.put("/x", BODY, etag='"1"')
    assert client.get(Range="bytes=10-", If_Range='"1"') == (206, BODY[10:])
    assert client.get(Range="bytes=10-", If_Range='"0"') == (200, BODY)
    assert client.get(Range="bytes=99999-") == (416, b"")
    page.ranges = False
    assert client.get(Range="bytes=10-") == (200, BODY)


def test_a_body_may_be_a_file(http_server, client, tmp_path: Path):
    (tmp_path / "body").write_bytes(BODY)
    http_server.put("/x", tmp_path / "body")
    assert client.get() == (200, BODY)


def test_an_answer_is_cut_as_often_as_it_is_said(http_server, client):
    http_server.put("/x", BODY).fault(cut=100, times=2)
    for _ in range(2):
        with pytest.raises(http.client.IncompleteRead) as error:
            client.get()
        assert len(error.value.partial) == 100
        client.connection.close()
    assert client.get() == (200, BODY)


def test_an_answer_is_refused(http_server, client):
    http_server.put("/x", BODY).fault(Fault(status=503, retry_after="7"))
    assert client.get() == (503, b"")
    assert client.answer.headers["Retry-After"] == "7"
    assert client.get() == (200, BODY)


def test_an_answer_leads_elsewhere(http_server, client):
    http_server.redirect("/x", "/y")
    assert client.get() == (302, b"")
    assert client.answer.headers["Location"] == "/y"


def test_an_answer_is_slow(http_server, client):
    http_server.put("/x", BODY).fault(pause=0.05, rate=len(BODY) * 20)
    began = time.monotonic()
    assert client.get() == (200, BODY)
    assert time.monotonic() - began >= 0.1


def test_an_answer_is_held(http_server, client):
    page = http_server.put("/x", BODY)
    page.fault(hold=10)
    client.connection.request("GET", "/x")
    page.wait_until_held()
    assert http_server.asked[0].sent == 10
    page.release()
    assert client.connection.getresponse().read() == BODY


@pytest.mark.parametrize("claimed", [5, 20_000])
def test_a_length_is_wrong(http_server, client, claimed):
    http_server.put("/x", BODY).fault(length=claimed)
    if claimed < len(BODY):
        assert client.get() == (200, BODY[:claimed])
    else:
        with pytest.raises(http.client.IncompleteRead):
            client.get()


def test_a_body_has_no_end(http_server, client):
    http_server.put("/x", BODY).fault(endless=True)
    client.connection.request("GET", "/x")
    with client.connection.getresponse() as answer:
        assert answer.read(len(BODY) * 100) == BODY * 100


def test_tls_can_be_trusted_and_can_demand_a_certificate(https_server):
    https_server.put("/x", BODY)
    https_server.context.verify_mode = ssl.CERT_REQUIRED
    context = ssl.create_default_context(cafile=https_server.ca)
    stranger = Client(https_server, context)
    with closing(stranger.connection), pytest.raises(OSError, match=r"(?i)certificate|EOF|reset"):
        stranger.get()
    context.load_cert_chain(https_server.client_cert)
    client = Client(https_server, context)
    with closing(client.connection):
        assert client.get() == (200, BODY)
