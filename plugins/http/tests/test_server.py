"""The server and what it serves: as declared, as RFC 9110 has it, and nothing else."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from email.utils import formatdate
from pathlib import Path

import pytest

from setpoint import Meta, ParamError, Refused
from setpoint.engine.events import Changed, Converged
from setpoint.host import Host
from setpoint.testing import Engines, Kept, ResourceSuite
from setpoint_http import Http, HttpFile, HttpServer
from setpoint_http.table import Table

TEXT = "0123456789" * 10


@pytest.fixture
async def server(host: Host) -> AsyncIterator[HttpServer]:
    server = HttpServer("www", _host=host)
    await server.check_apply(apply=True)
    yield server
    await server._close()


@pytest.fixture
def serve(server: HttpServer, host: Host) -> Callable[..., Awaitable[HttpFile]]:
    """Serve something."""

    async def served(name: str, **params: object) -> HttpFile:
        resource = HttpFile(name, server="www", _host=host, **params)
        await resource.check_apply(apply=True)
        return resource

    return served


async def url_of(server: HttpServer) -> str:
    return (await server.send()).url


class Neighbour(Host):
    """A host for the next process of a suite: what it shares lies in this one, for a server is its process."""

    def __init__(self, host: Host) -> None:
        super().__init__(state=host.root, clock=host.clock)
        self._host = host
        self.peers = host.peers

    def shared(self, make):
        return self._host.shared(make)


class TestHttpServer(ResourceSuite):
    @pytest.fixture
    def resource(self, host):
        return HttpServer("www", _host=host)

    async def disturb(self, resource):
        """Shut its socket down, as ss --kill does."""
        resource.host.shared(Table).servers["www"]._socket.shutdown(socket.SHUT_RDWR)

    async def undo(self, resource):
        await resource._close()

    def observe(self, resource):
        return [*resource.host.shared(Table).servers]

    def restarted(self, resource, state=""):
        again = super().restarted(resource, state)
        if not state:
            again._host = Neighbour(resource.host)
            again.memory.update(resource.memory)
        return again


class Declared(Host):
    """A host that knows of a server in the same graph, as that of an engine does."""

    def peers(self, resource, kind):
        return {"www": HttpServer("www")} if kind == "http:server" else {}


class TestHttpFile(ResourceSuite):
    @pytest.fixture
    def resource(self, host):
        return HttpFile("/text", server="www", content=TEXT, _host=Declared(state=host.root))

    async def disturb(self, resource):
        """Have somebody ask for it, and it is taken away."""
        table = resource.host.shared(Table)
        if offer := table.at("www", "/text"):
            table.withdraw(offer.owner)
            if offer.news:
                offer.news()

    def observe(self, resource):
        return resource.host.shared(Table).at("www", "/text")

    def restarted(self, resource, state=""):
        again = super().restarted(resource, state)
        again._host = Neighbour(resource.host)
        return again


# what is served


async def test_a_text_is_served_with_ranges_and_conditions(server, serve, ask):
    await serve("/text", content=TEXT)
    url = await url_of(server)
    whole = await ask(url, "/text?x=1")
    assert (whole.status, whole.body) == (200, TEXT.encode())
    assert whole.headers["content-type"] == "text/plain; charset=utf-8"
    etag, modified = whole.headers["etag"], whole.headers["last-modified"]
    assert (await ask(url, "/text", "HEAD")).headers["content-length"] == "100"
    for headers, status, body in [
        ({"If_None_Match": f'"x", {etag}'}, 304, ""),
        ({"If_None_Match": "*"}, 304, ""),
        ({"If_None_Match": '"x"', "If_Modified_Since": modified}, 200, TEXT),
        ({"If_Modified_Since": modified}, 304, ""),
        ({"If_Match": etag}, 200, TEXT),
        ({"If_Match": '"x"'}, 412, ""),
        ({"If_Unmodified_Since": formatdate(0, usegmt=True)}, 412, ""),
        ({"Range": "bytes=5-9"}, 206, TEXT[5:10]),
        ({"Range": "bytes=95-200"}, 206, TEXT[95:]),
        ({"Range": "bytes=-5"}, 206, TEXT[95:]),
        ({"Range": "bytes=90-"}, 206, TEXT[90:]),
        ({"Range": "bytes=100-"}, 416, ""),
        ({"Range": "bytes=-0"}, 416, ""),
        ({"Range": "bytes=9-5"}, 200, TEXT),
        ({"Range": "bytes=1-2,5-6"}, 200, TEXT),
        ({"Range": "bytes=-"}, 200, TEXT),
        ({"Range": f"bytes={'9' * 30}-"}, 200, TEXT),
        ({"Range": "bytes=5-9", "If_Range": etag}, 206, TEXT[5:10]),
        ({"Range": "bytes=5-9", "If_Range": '"x"'}, 200, TEXT),
        ({"Range": "bytes=5-9", "If_Range": modified}, 206, TEXT[5:10]),
        ({"Range": "bytes=5-9", "If_Range": "nonsense"}, 200, TEXT),
    ]:
        said = await ask(url, "/text", **headers)
        assert (said.status, said.body.decode()) == (status, body), headers
    part = await ask(url, "/text", Range="bytes=5-9")
    assert part.headers["content-range"] == "bytes 5-9/100"
    assert (await ask(url, "/text", Range="bytes=100-")).headers["content-range"] == "bytes */100"


async def test_a_file_and_a_directory_are_served(server, serve, ask, tmp_path):
    (tmp_path / "www/sub").mkdir(parents=True)
    (tmp_path / "www/index.html").write_text("<p>")
    (tmp_path / "www/sub/a b.tar.gz").write_bytes(b"\x1f\x8b")
    (tmp_path / "one.json").write_text("{}")
    await serve("/docs/", path=f"{tmp_path}/www")
    await serve("/docs/sub/special", path=f"{tmp_path}/one.json")
    url = await url_of(server)
    said = await ask(url, "/docs/")
    assert (said.body, said.headers["content-type"]) == (b"<p>", "text/html")
    said = await ask(url, "/docs/sub/a%20b.tar.gz")
    assert (said.body, said.headers["content-type"]) == (b"\x1f\x8b", "application/octet-stream")
    said = await ask(url, "/docs/sub/special")
    assert (said.body, said.headers["content-type"]) == (b"{}", "application/json")
    for missing in ("/docs", "/docs/sub", "/docs/sub/", "/docs/none", "/", "/docs/sub/special/x"):
        assert (await ask(url, missing)).status == 404, missing
    assert (await ask(url, "/docs/", "POST")).headers["allow"] == "GET, HEAD"


async def test_an_etag_changes_with_each_write(server, serve, ask, tmp_path):
    path = tmp_path / "file"
    path.write_text("one")
    await serve("/file", path=str(path))
    url = await url_of(server)
    first = (await ask(url, "/file")).headers["etag"]
    path.write_text("two")
    second = await ask(url, "/file")
    assert (first != second.headers["etag"]) or first.startswith("W/")
    assert second.body == b"two"


async def test_a_received_content_is_live(server, serve, ask):
    resource = await serve("/text", content="one")
    url = await url_of(server)
    before = await ask(url, "/text")
    await resource.recv({"content": "two"})
    changes = await resource.check_apply(apply=True)
    assert [change.attribute for change in changes] == ["content"]
    after = await ask(url, "/text", If_None_Match=before.headers["etag"])
    assert (after.status, after.body) == (200, b"two")


async def test_requests_are_counted_and_a_reason_to_look(server, serve, ask):
    resource = await serve("/text", content="one")
    news = asyncio.Event()
    subscription = resource.watch()
    subscription.start(news.set)
    url = await url_of(server)
    await ask(url, "/text")
    await asyncio.wait_for(news.wait(), 5)
    await ask(url, "/text", If_None_Match="*")
    await ask(url, "/none")
    assert (await resource.send()).requests == 1
    assert await resource.check_apply(apply=True) == []
    subscription.stop()
    assert (await ask(url, "/text")).status == 404


# nothing else is

ATTACKS = [
    "/../secret", "/d/../secret", "/d/../../secret", "/d/../../../../../etc/passwd", "/d/..", "/d/.", "/..", "/d/./in",
    "/d//in", "//d/in", "/d/sub/../in", "/d/sub/..%2fin", "/d/%2e%2e/secret", "/d/%2E%2E/secret", "/d/.%2e/secret",
    "/d/%2e./secret", "/d/..%2fsecret", "/d/..%2Fsecret", "/d%2f..%2fsecret", "/d/%2e%2e%2fsecret", "/%2e%2e/secret",
    "/d/%252e%252e/secret", "/d/..%252fsecret", "/d/%25%32%65%25%32%65/secret", "/d/..%c0%afsecret",
    "/d/%c0%ae%c0%ae/secret", "/d/..%e0%80%afsecret", "/d/%e0%80%ae%e0%80%ae/secret", "/d/..%ef%bc%8fsecret",
    "/d/%ef%bc%8e%ef%bc%8e/secret", "/d/..\\secret", "/d/..%5csecret", "/d/%5c..%5csecret", "/d/....//secret",
    "/d/..;/secret", "/d/..;x/secret", "/d/..%00/secret", "/d/in%00", "/d/in%00.html", "/d/%00", "/d/..%0d%0a/secret",
    "/d/../secret%00.txt", "/d/ ../secret", "/d/..%20/secret", "/d/~root", "/d/$HOME", "/d/out", "/d/out-absolute",
    "/d/away/secret", "/d/away", "/d/parent/secret", "/d/loop", "/d/in/..", "/d/in/../../secret", "/d/in/",
    "/d/sub", "/d/sub/", "/d/pipe", "/d/.setpoint-1-1-0~", "/d/self/environ", "/d/%2fetc%2fpasswd",
    "/d//etc/passwd", "/d/%2f/etc/passwd", "/dd/in", "/d/in?/../../secret/x/..", "/D/in", "/d/IN", "/d/%",
    "/d/%2", "/d/%zz", "/d/%u002e%u002e/secret", "file:///etc/passwd", "http://x/d/../secret", "http://x/../secret",
    "http://x/d/%2e%2e/secret", "*", "d/in", "/d/" + "a" * 300, "/d/" + "../" * 100 + "etc/passwd",
]  # fmt: skip
ALLOWED = {"/d/in?/../../secret/x/.."}  # a query is none of the path


@pytest.fixture
def guarded(tmp_path: Path) -> Path:
    """A directory beside a secret, with what may lead there."""
    (tmp_path / "secret").write_text("root:secret")
    root = tmp_path / "d"
    (root / "sub").mkdir(parents=True)
    (root / "in").write_text("in")
    (root / ".setpoint-1-1-0~").write_text("root: unfinished")
    for name, target in {
        "out": "../secret", "out-absolute": f"{tmp_path}/secret", "away": str(tmp_path), "parent": "..",
        "loop": "loop", "self": "/proc/self", "link": "sub/../in",
    }.items():  # fmt: skip
        (root / name).symlink_to(target)
    os.mkfifo(root / "pipe")
    return root


def test_there_are_enough_attacks():
    assert len(set(ATTACKS)) >= 60


async def test_nothing_leads_out_of_a_directory(server, serve, ask, guarded):
    await serve("/d/", path=str(guarded))
    url = await url_of(server)
    assert (await ask(url, "/d/in")).body == b"in"
    assert (await ask(url, "/d/link")).body == b"in", "a link within is followed"
    for attack in ATTACKS:
        said = await ask(url, attack)
        if attack in ALLOWED:
            assert said.body == b"in"
        else:
            assert said.status in (400, 404), attack
            assert b"root:" not in said.body, attack


async def test_a_swapped_directory_leads_nowhere(server, serve, ask, guarded, tmp_path):
    await serve("/d/", path=f"{guarded}/sub")
    (guarded / "sub").rmdir()
    (guarded / "sub").symlink_to("..")
    url = await url_of(server)
    assert (await ask(url, "/d/none")).status == 404
    assert (await ask(url, "/d/d/../secret")).status == 404


# the server itself


async def test_a_broken_socket_is_noticed_and_opened_again_at_the_same_port(
    host, ask, engine: Engines, wait
):
    server, file = HttpServer("www", _host=host), HttpFile("/x", server="www", content="x")
    async with engine.keeping(server, file, edges="http:server www -> http:file /x") as kept:
        table = host.shared(Table)
        url = table.servers["www"].url
        table.servers["www"]._socket.shutdown(socket.SHUT_RDWR)
        await kept.told(Changed, "http:server www")
        assert table.servers["www"].url == url
        assert (await ask(url, "/x")).body == b"x"
    with pytest.raises(ConnectionRefusedError):
        await ask(url, "/x")


async def test_a_watch_that_begins_anew_keeps_it_open(host, engine: Engines):
    async with engine.keeping(HttpServer("www")) as kept:
        running = host.shared(Table).servers["www"]
        kept.engine.swap(engine.graph(HttpServer("www", meta=Meta(rewatch=True, retry=1))))
        await kept.told(Converged)
        assert host.shared(Table).servers["www"] is running
        assert running.is_listening
        running._socket.shutdown(socket.SHUT_RDWR)
        await kept.told(Changed)


async def test_a_swap_stops_to_serve_what_is_gone_and_serves_what_is_new(host, ask, engine, wait):
    server = HttpServer("www")
    old, new = (HttpFile(name, server="www", content=name) for name in ("/old", "/new"))
    edges = "http:server www -> http:file "
    async with engine.keeping(server, old, edges=f"{edges}/old") as kept:
        table = host.shared(Table)
        url = table.servers["www"].url
        assert (await ask(url, "/old")).status == 200
        kept.engine.swap(engine.graph(HttpServer("www"), new, edges=f"{edges}/new"))
        await kept.told(Changed, "http:file /new")
        assert (await ask(url, "/new")).body == b"/new"
        await wait(lambda: table.at("www", "/old") is None)
        assert (await ask(url, "/old")).status == 404
        kept.engine.swap(engine.graph(new))
        await wait(lambda: not table.servers)
        with pytest.raises(ConnectionRefusedError):
            await ask(url, "/new")


async def test_changed_params_take_effect_and_what_is_watched_stays_so(host, ask, engine, wait):
    edges = "http:server www -> http:file x"

    def graph(location: str, grace: float):
        file = HttpFile("x", server="www", location=location, content="x")
        return engine.graph(HttpServer("www", grace=grace), file, edges=edges)

    kept = Kept(engine.make(graph("/one", 1)))
    await kept.told(Converged)
    table = host.shared(Table)
    url = table.servers["www"].url
    kept.engine.swap(graph("/two", 2))
    await kept.told(Changed, "http:file x")
    assert (await ask(url, "/one")).status == 404
    assert (await ask(url, "/two")).status == 200
    assert table.of("http:file x")[1].news is not None
    table.servers["www"]._socket.shutdown(socket.SHUT_RDWR)
    await kept.told(Changed, "http:server www")
    assert (await ask(url, "/two")).status == 200
    await kept.end()
    assert not table.servers


async def test_it_moves_when_it_is_declared_elsewhere(server, ask):
    before = await url_of(server)
    server.address = "::1"
    assert [change.attribute for change in await server.check_apply(apply=True)] == ["listening"]
    after = await url_of(server)
    assert after.startswith("http://[::1]:")
    assert (await ask(after, "/")).status == 404
    with pytest.raises(ConnectionRefusedError):
        await ask(before, "/")


async def test_an_answer_under_way_is_finished_when_it_closes(server, serve, ask, tmp_path):
    body = os.urandom(30_000_000)
    (tmp_path / "large").write_bytes(body)
    await serve("/large", path=f"{tmp_path}/large")
    url = await url_of(server)
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=4096)
    writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    closing = asyncio.create_task(server._close())
    assert await reader.read() == body
    writer.close()
    await closing
    with pytest.raises(ConnectionRefusedError):
        await ask(url, "/large")


async def test_it_serves_behind_tls_and_shows_a_new_certificate(host, ask, tmp_path):
    import trustme

    authorities = [trustme.CA() for _ in range(2)]
    for number, authority in enumerate(authorities):
        authority.cert_pem.write_to_path(str(tmp_path / f"ca{number}.pem"))
    pem = tmp_path / "server.pem"
    authorities[0].issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(pem))
    server = HttpServer("www", cert=str(pem), _host=host)
    await server.check_apply(apply=True)
    url = await url_of(server)
    assert (await ask(url, "/", ca=f"{tmp_path}/ca0.pem")).status == 404
    assert await server.check_apply(apply=True) == []
    authorities[1].issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(pem))
    assert [change.attribute for change in await server.check_apply(apply=True)] == ["cert"]
    assert (await ask(url, "/", ca=f"{tmp_path}/ca1.pem")).status == 404
    assert await url_of(server) == url
    pem.write_text("nonsense")
    with pytest.raises(Refused, match=r"are no certificate with its key, .*; give cert a PEM"):
        await server.check_apply(apply=True)
    await server._close()


async def test_a_port_in_use_is_named(server, host):
    port = (await server.send()).port
    other = HttpServer("other", port=port, _host=host)
    with pytest.raises(OSError, match=f"127.0.0.1:{port} is in use by somebody else") as error:
        await other.check_apply(apply=True)
    assert error.value.errno == errno.EADDRINUSE
    with pytest.raises(OSError, match=r"this machine has no address 192\.0\.2\.1; correct"):
        await HttpServer("far", address="192.0.2.1", _host=host).check_apply(apply=True)


# what does not go together


async def test_a_server_that_is_not_there_is_named(server, host):
    with pytest.raises(Refused, match="there is no http:server 'wwv'; did you mean 'www'"):
        await HttpFile("/x", server="wwv", content="", _host=host).check_apply(apply=True)


async def test_a_location_is_served_for_one_only(serve):
    await serve("/x", content="x")
    with pytest.raises(Refused, match="serves http:file /x at /x; take another location"):
        await serve("other", location="/x", content="y")


async def test_what_is_not_there_is_named(serve, tmp_path):
    with pytest.raises(FileNotFoundError, match="none to serve; make it first"):
        await serve("/x", path=f"{tmp_path}/none")
    with pytest.raises(Refused, match="is a directory; write a location with a slash at its end"):
        await serve("/x", path=str(tmp_path))
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match="is no directory; write a location without a slash"):
        await serve("/x/", path=f"{tmp_path}/file")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"name": "x", "content": ""}, "name must be a path .*; write one like"),
        ({"location": "/a/../b", "content": ""}, "location must be a path .* not '/a/../b'"),
        ({"path": "x"}, "path must be absolute, not 'x'"),
        ({}, "path or content must be given"),
        ({"path": "/x", "content": ""}, "content must be left out with path"),
        ({"name": "/x/", "content": ""}, "content must not be at a location that ends"),
    ],
)
def test_a_file_that_cannot_be_is_refused(params, message):
    with pytest.raises(ParamError, match=message):
        HttpFile(params.pop("name", "/x"), server="www", **params)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"address": "localhost"},
            "address must be an IPv4 or IPv6 address, not 'localhost'; writ",
        ),
        ({"key": "/x"}, "key must go with cert"),
        ({"cert": "x"}, "cert must be absolute, not 'x'"),
    ],
)
def test_a_server_that_cannot_be_is_refused(params, message):
    with pytest.raises(ParamError, match=message):
        HttpServer("www", **params)


# both ways


async def test_what_is_served_is_downloaded_in_the_same_graph(host, tmp_path, engine: Engines):
    url = "http://127.0.0.1"
    server = HttpServer("www", _host=host)
    await server.check_apply(apply=True)
    url = await url_of(server)
    served = HttpFile("/x", server="www", content=TEXT)
    got = Http(str(tmp_path / "got"), url=f"{url}/x", retry=0)
    edges = "http:server www -> http:file /x; http:file /x -> http " + str(tmp_path / "got")
    assert (await engine.converge(HttpServer("www"), served, got, edges=edges)).ok
    assert (tmp_path / "got").read_text() == TEXT
