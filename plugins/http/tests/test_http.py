"""Downloads: they arrive whole, once, and only if something is to be fetched."""

import asyncio
import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from setpoint import Change, Refused, Secret
from setpoint.engine.events import Changed
from setpoint.testing import Engines, ResourceSuite
from setpoint.testing.looking import looking
from setpoint.testing.serving import Server
from setpoint_http import Http

BODY = os.urandom(300_000)
SHA256 = hashlib.sha256(BODY).hexdigest()

Declare = Callable[..., Http]


async def run(resource: Http, *, apply: bool = True) -> list[Change]:
    return await resource.check_apply(apply=apply)


def got(tmp_path: Path) -> bytes:
    return (tmp_path / "got").read_bytes()


class TestHttp(ResourceSuite):
    @pytest.fixture
    def resource(self, host, tmp_path, http_server):
        http_server.put("/x", BODY, etag='"1"')
        return Http(
            str(tmp_path / "got"),
            url=http_server.url("/x"),
            headers={"X-Token": Secret("a secret token")},
            auth=Secret("ann:a secret password"),
            mode="0640",
            retry=0,
            _host=host,
        )

    async def disturb(self, resource):
        Path(resource.name).write_bytes(b"something else")

    async def undo(self, resource):
        Path(resource.name).unlink(missing_ok=True)


class TestCachedHttp(ResourceSuite):
    """Without a path it is kept in the state directory."""

    @pytest.fixture
    def resource(self, host, http_server):
        http_server.put("/x", BODY, etag='"1"')
        return Http("x", url=http_server.url("/x"), _host=host)

    async def disturb(self, resource):
        Path(resource.at).write_bytes(b"something else")

    async def undo(self, resource):
        Path(resource.at).unlink(missing_ok=True)

    def observe(self, resource):
        path = Path(resource.at)
        return path.read_bytes() if path.exists() else None


# what is fetched, and when


async def test_a_file_is_fetched_once(http_server: Server, declare: Declare, tmp_path: Path):
    http_server.put("/x", BODY)
    resource = declare(http_server.url("/x"))
    source = f"from {http_server.url('/x')}"
    assert await run(resource, apply=False) == [Change("content", None, source)]
    assert http_server.asked == []
    assert await run(resource)
    assert got(tmp_path) == BODY
    assert await run(resource) == []
    assert await run(declare(http_server.url("/x"))) == []
    assert len(http_server.asked) == 1


@pytest.mark.parametrize("digest", ["", "ab" * 32])
async def test_each_difference_fits_into_a_line(http_server, declare, tmp_path, digest):
    resource = declare(http_server.url(f"/{'x' * 99}/tool-1.2.tar.gz"), sha256=digest)
    [missing] = await run(resource, apply=False)
    (tmp_path / "got").write_bytes(BODY)
    [other] = await run(resource, apply=False)
    assert missing.attribute == other.attribute == "content"
    assert missing.before is None
    assert missing.after.startswith("from http://")
    assert missing.after.endswith("/tool-1.2.tar.gz")
    assert len(missing.after) <= 60
    assert other.before == f"sha256 {SHA256[:16]}"
    assert other.after == ("sha256 abababababababab" if digest else missing.after)


async def test_an_untouched_file_is_not_read_again(http_server, declare, tmp_path):
    http_server.put("/x", BODY)
    resource = declare(http_server.url("/x"))
    await run(resource)
    await run(resource)
    (tmp_path / "got").chmod(0)  # would need to be read: this changes its time too
    look = resource.memory["record"].look
    await run(resource)
    assert resource.memory["record"].look != look
    look = resource.memory["record"].look
    await run(resource)
    assert resource.memory["record"].look == look


async def test_a_file_that_was_changed_by_hand_is_fetched_again(http_server, declare, tmp_path):
    http_server.put("/x", BODY)
    resource = declare(http_server.url("/x"))
    await run(resource)
    times = os.stat(tmp_path / "got")
    with open(tmp_path / "got", "r+b") as file:
        file.write(b"!")
    os.utime(tmp_path / "got", ns=(times.st_atime_ns, times.st_mtime_ns))
    async with looking(resource, 5):
        assert [change.attribute for change in await run(resource)] == ["content"]
    assert got(tmp_path) == BODY
    (tmp_path / "got").unlink()
    assert await run(resource)
    assert got(tmp_path) == BODY
    assert len(http_server.asked) == 3


async def test_what_has_the_right_digest_is_left_alone(declare, tmp_path):
    (tmp_path / "got").write_bytes(BODY)
    assert await run(declare("http://127.0.0.1:1/x", sha256=SHA256.upper(), retry=0)) == []
    sha1 = hashlib.sha1(BODY).hexdigest()
    assert await run(declare("http://127.0.0.1:1/x", checksum=f"sha1:{sha1}", retry=0)) == []


async def test_another_url_is_fetched_from(http_server, declare, tmp_path):
    http_server.put("/x", b"x")
    http_server.put("/y", b"y")
    await run(declare(http_server.url("/x")))
    assert await run(declare(http_server.url("/y")))
    assert got(tmp_path) == b"y"


async def test_refresh_fetches_whatever_is_known(http_server, declare, tmp_path):
    page = http_server.put("/x", BODY, etag='"1"')
    resource = declare(http_server.url("/x"))
    await run(resource)
    await resource.refresh()
    assert len(http_server.asked) == 1, "it has just been fetched"
    await run(resource)
    inode = (tmp_path / "got").stat().st_ino
    await resource.refresh()
    assert (tmp_path / "got").stat().st_ino == inode, "what is the same is not written"
    assert http_server.bodies == 2
    page.body = b"new"
    await run(resource)
    await resource.refresh()
    assert got(tmp_path) == b"new"
    assert (await resource.send()).changed


@pytest.mark.parametrize("validators", [{"etag": '"1"'}, {"etag": 'W/"1"'}, {"modified": 1e9}])
async def test_a_question_about_what_is_there_costs_no_body(http_server, declare, validators):
    http_server.put("/x", BODY, **validators)
    assert await run(declare(http_server.url("/x")))
    assert await run(declare(http_server.url("/x"), interval=60)) == []
    assert [asked.status for asked in http_server.asked] == [200, 304]
    assert http_server.bodies == 1


async def test_without_validators_the_content_is_compared(http_server, declare, tmp_path):
    page = http_server.put("/x", BODY)
    assert await run(declare(http_server.url("/x"), interval=60))
    assert await run(declare(http_server.url("/x"), interval=60)) == []
    page.body = b"new"
    assert await run(declare(http_server.url("/x"), interval=60))
    assert got(tmp_path) == b"new"


async def test_at_each_interval_it_asks_and_fetches_what_is_new(
    http_server, declare, tmp_path, engine: Engines, wait
):
    page = http_server.put("/x", b"one", etag='"1"')
    async with engine.keeping(declare(http_server.url("/x"), interval=0.05)) as kept:
        page.body, page.etag = b"two", '"2"'
        await kept.told(Changed)
        assert got(tmp_path) == b"two"
        await wait(lambda: http_server.asked[-1].status == 304)


async def test_a_file_that_is_deleted_comes_back_at_once(
    http_server, declare, tmp_path, engine: Engines
):
    http_server.put("/x", BODY)
    async with engine.keeping(declare(http_server.url("/x"))) as kept:
        (tmp_path / "got").unlink()
        await kept.told(Changed)
        assert got(tmp_path) == BODY


# how it is written


async def test_mode_and_owner_are_kept_as_declared(http_server, declare, tmp_path):
    http_server.put("/x", BODY)
    resource = declare(http_server.url("/x"), mode="0600", owner=str(os.geteuid()))
    await run(resource)
    assert stat.S_IMODE((tmp_path / "got").stat().st_mode) == 0o600
    (tmp_path / "got").chmod(0o644)
    assert await run(resource) == [Change("mode", "0644", "0600")]
    assert await run(resource) == []
    assert http_server.bodies == 1


async def test_an_account_that_is_missing_is_named_before_anything_is_fetched(http_server, declare):
    http_server.put("/x", BODY)
    with pytest.raises(Refused, match="there is no group 'nosuch'; make it first"):
        await run(declare(http_server.url("/x"), group="nosuch"))
    assert http_server.asked == []


async def test_a_directory_is_not_replaced(declare, tmp_path):
    (tmp_path / "got").mkdir()
    with pytest.raises(Refused, match="is a directory; write the name of a file in it"):
        await run(declare("http://127.0.0.1:1/x"))


async def test_what_is_sent(http_server, declare, tmp_path):
    page = http_server.put("/x", "café".encode(), etag='"1"')
    page.headers = {"X-Version": "7", "Set-Cookie": "secret"}
    resource = declare(http_server.url("/x"))
    assert await resource.send() is None
    await run(resource)
    sent = await resource.send()
    assert (sent.path, sent.content, sent.status) == (str(tmp_path / "got"), "café", 200)
    assert sent.sha256 == hashlib.sha256("café".encode()).hexdigest()
    assert (sent.etag, sent.headers["x-version"], sent.changed) == ('"1"', "7", True)
    assert "set-cookie" not in sent.headers
    await run(resource)
    assert not (await resource.send()).changed


@pytest.mark.parametrize("body", [b"x" * 65_537, b"\xff"])
async def test_what_is_large_or_no_text_is_not_sent(http_server, declare, body):
    http_server.put("/x", body)
    resource = declare(http_server.url("/x"))
    await run(resource)
    assert (await resource.send()).content == ""


async def test_a_cached_file_is_readable_by_us_alone(http_server, declare):
    http_server.put("/x", BODY)
    resource = declare(http_server.url("/x"), name="tool")
    await run(resource)
    sent = await resource.send()
    assert Path(sent.path).read_bytes() == BODY
    assert stat.S_IMODE(Path(sent.path).stat().st_mode) == 0o600
    assert sorted(path.name for path in Path(sent.path).parent.iterdir()) == ["content", "record"]


# file:


async def test_a_file_of_this_machine_is_copied_and_followed(declare, tmp_path, engine: Engines):
    source = tmp_path / "a source"
    source.write_bytes(b"one")
    resource = declare(f"file://{tmp_path}/a%20source")
    async with engine.keeping(resource) as kept:
        assert got(tmp_path) == b"one"
        source.write_bytes(b"two")
        await kept.told(Changed)
        assert got(tmp_path) == b"two"
    assert await run(declare(f"file://{tmp_path}/a%20source")) == []


async def test_a_file_that_is_missing_is_named(declare, tmp_path):
    with pytest.raises(FileNotFoundError, match="none"):
        await run(declare(f"file://{tmp_path}/none"))


# being stopped


async def test_a_cancelled_download_stops_at_once_and_goes_on_later(
    http_server, declare, tmp_path, wait
):
    page = http_server.put("/x", BODY, etag='"1"')
    page.fault(hold=100_000)
    resource = declare(http_server.url("/x"))
    task = asyncio.create_task(run(resource))
    partial = resource.host.state_path(resource) / "partial"
    await wait(lambda: partial.exists() and partial.stat().st_size == 100_000)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert await run(resource)  # while the page is still held
    assert got(tmp_path) == BODY
    assert http_server.asked[1].sent == 200_000
