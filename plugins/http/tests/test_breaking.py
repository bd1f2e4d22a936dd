"""Downloads that break off, are refused, or are not what was wanted."""

import hashlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from setpoint import Refused
from setpoint.testing.serving import Server

BODY = os.urandom(300_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
MEGABYTE = 1 << 20

# Downloads argv[2] to argv[3], with its state in argv[1], and prints by how many bytes its memory grew.
CHILD = """
import asyncio, re, sys
from pathlib import Path
from setpoint.host import Host
from setpoint_http import Http

def memory():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

async def main():
    state, url, path, *small = sys.argv[1:]
    host = Host(state=state)
    for at in small:
        await Http(at, url=url + "-small", _host=host).check_apply(apply=True)
    before = memory()
    await Http(path, url=url, _host=host).check_apply(apply=True)
    print(memory() - before)
    host.close()

asyncio.run(main())
"""


def got(tmp_path: Path) -> bytes:
    return (tmp_path / "got").read_bytes()


def child(*args: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", CHILD, *map(str, args)], stdout=-1)


# breaks


async def test_200_megabytes_arrive_once_and_whole_over_five_breaks_in_flat_memory(
    http_server: Server, tmp_path
):
    block = os.urandom(MEGABYTE)
    with open(tmp_path / "large", "wb") as file:
        for number in range(200):
            file.write(number.to_bytes(8, "big") + block[8:])
    page = http_server.put("/x", tmp_path / "large", etag='"1"')
    http_server.put("/x-small", b"x")
    for part in (50, 30, 0, 70, 1):
        page.fault(cut=part * MEGABYTE + 12_345)
    with child(tmp_path / "state", http_server.url("/x"), tmp_path / "got", tmp_path / "s") as run:
        grown = int(run.stdout.read())
    assert digest(tmp_path / "got") == digest(tmp_path / "large")
    asked = [asked for asked in http_server.asked if asked.path == "/x"]
    assert [one.status for one in asked] == [200, 206, 206, 206, 206, 206]
    assert sum(one.sent for one in asked) < 202 * MEGABYTE  # what was on its way at a break
    assert grown < 20 * MEGABYTE


def digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def test_a_killed_process_costs_only_what_had_not_come(
    http_server, declare, tmp_path, host, wait
):
    page = http_server.put("/x", BODY, etag='"1"')
    page.fault(hold=200_000)
    partial = host.state_path(declare(http_server.url("/x"))) / "partial"
    with child(host.root, http_server.url("/x"), tmp_path / "got") as run:
        await wait(lambda: partial.exists() and partial.stat().st_size == 200_000)
        run.send_signal(signal.SIGKILL)
    assert list(tmp_path.iterdir()) == [], "nothing is left beside the target"
    page.release()
    assert await declare(http_server.url("/x")).check_apply(apply=True)
    assert got(tmp_path) == BODY
    assert http_server.asked[-1].headers["range"] == "bytes=200000-"
    assert http_server.asked[-1].sent == 100_000
    assert not partial.exists()


@pytest.mark.parametrize("modified", [None, 1e9])
async def test_it_is_resumed_if_the_server_can_tell_what_it_has(
    http_server, declare, tmp_path, modified
):
    page = http_server.put("/x", BODY, etag="" if modified else '"1"', modified=modified)
    page.fault(cut=100_000)
    await declare(http_server.url("/x")).check_apply(apply=True)
    assert got(tmp_path) == BODY
    assert [asked.sent for asked in http_server.asked] == [100_000, 200_000]


@pytest.mark.parametrize(
    "page",
    [{}, {"etag": 'W/"1"'}, {"modified": 4e9}, {"etag": '"1"', "ranges": False}],
)
async def test_else_all_of_it_comes_anew(http_server, declare, tmp_path, page):
    ranges = page.pop("ranges", True)
    served = http_server.put("/x", BODY, **page)
    served.ranges = ranges
    served.fault(cut=100_000)
    await declare(http_server.url("/x")).check_apply(apply=True)
    assert got(tmp_path) == BODY
    assert [asked.sent for asked in http_server.asked] == [100_000, 300_000]


async def test_what_changed_meanwhile_is_not_mixed(http_server, declare, tmp_path):
    page = http_server.put("/x", BODY, etag='"1"')
    page.fault(cut=100_000)
    page.fault(cut=100_000)
    resource = declare(http_server.url("/x"), retry=0)
    with pytest.raises(OSError, match="ended too early"):
        await resource.check_apply(apply=True)
    page.body, page.etag = b"new" * 100_000, '"2"'
    await declare(http_server.url("/x")).check_apply(apply=True)
    assert got(tmp_path) == page.body


async def test_another_part_than_was_asked_for_is_not_taken(http_server, declare, tmp_path):
    page = http_server.put("/x", BODY, etag='"1"')
    page.fault(cut=100_000)
    page.fault(status=416)
    await declare(http_server.url("/x")).check_apply(apply=True)
    assert got(tmp_path) == BODY
    assert [asked.status for asked in http_server.asked] == [200, 416, 200]


async def test_a_length_that_is_wrong_is_noticed(http_server, declare, tmp_path):
    page = http_server.put("/x", BODY)
    page.fault(length=len(BODY) + 1, times=2)
    with pytest.raises(OSError, match=r"127\.0\.0\.1:\d+.* too early"):
        await declare(http_server.url("/x"), retry=1).check_apply(apply=True)
    assert not (tmp_path / "got").exists()


# patience


async def test_retry_after_is_honoured(http_server, declare, tmp_path):
    page = http_server.put("/x", BODY)
    page.fault(status=503, retry_after="1")
    page.fault(status=429, retry_after=formatdate(time.time() + 1.5, usegmt=True))
    began = time.monotonic()
    await declare(http_server.url("/x")).check_apply(apply=True)
    assert time.monotonic() - began >= 1
    assert [asked.status for asked in http_server.asked] == [503, 429, 200]


async def test_tries_are_counted_as_long_as_nothing_new_comes(http_server, declare):
    page = http_server.put("/x", BODY, etag='"1"')
    page.fault(status=503, times=3)
    told = "answers 503 Service Unavailable, tried 3 times; see to the server, or raise retry"
    with pytest.raises(OSError, match=told):
        await declare(http_server.url("/x"), retry=2).check_apply(apply=True)
    assert len(http_server.asked) == 3
    for _ in range(4):
        page.fault(cut=50_000)
    await declare(http_server.url("/x"), retry=1).check_apply(apply=True)


async def test_a_silent_server_is_given_up(http_server, declare):
    http_server.put("/x", BODY).fault(pause=5)
    with pytest.raises(OSError, match=r"said nothing for 0.2 s; raise timeout"):
        await declare(http_server.url("/x"), timeout=0.2, retry=0).check_apply(apply=True)


# bounds


@pytest.mark.parametrize("fault", [{}, {"endless": True}])
async def test_what_is_too_large_is_refused(http_server, declare, tmp_path, fault):
    http_server.put("/x", BODY).fault(**fault)
    resource = declare(http_server.url("/x"), max_size=200_000)
    with pytest.raises(Refused, match=r"must not have more than 200.0 kB, and has (300.0 kB|more)"):
        await resource.check_apply(apply=True)
    assert not (tmp_path / "got").exists()
    assert list(resource.host.state_path(resource).iterdir()) == []


async def test_redirects_are_followed_but_not_in_circles(http_server, declare, tmp_path):
    http_server.put("/x", BODY)
    http_server.redirect("/one", "/two")
    http_server.redirect("/two", http_server.url("/x"))
    await declare(http_server.url("/one")).check_apply(apply=True)
    assert got(tmp_path) == BODY
    http_server.redirect("/a", "/b")
    http_server.redirect("/b", "/a")
    with pytest.raises(Refused, match="redirects more than 10 times, at last to"):
        await declare(http_server.url("/a")).check_apply(apply=True)
    http_server.redirect("/c", "file:///etc/shadow")
    with pytest.raises(Refused, match="redirects to 'file', not to http or https"):
        await declare(http_server.url("/c")).check_apply(apply=True)


# digests


async def test_a_wrong_digest_names_both(http_server, declare, tmp_path):
    (tmp_path / "got").write_bytes(b"old")
    http_server.put("/x", BODY)
    wanted = "0" * 64
    with pytest.raises(Refused, match=f"must have sha256:{wanted}, and has sha256:{SHA256}; corr"):
        await declare(http_server.url("/x"), sha256=wanted).check_apply(apply=True)
    assert got(tmp_path) == b"old"


@pytest.mark.parametrize(
    "text",
    [
        f"{SHA256}  x\n",
        f"{'0' * 64}  y\n{SHA256} *./x\n",
        f"SHA256 (x) = {SHA256}\n",
        f"{hashlib.sha512(BODY).hexdigest()}\n",
        f"# comment\n{hashlib.md5(BODY).hexdigest().upper()}  got\n",
    ],
)
async def test_a_checksum_may_come_from_a_url(http_server, declare, tmp_path, text):
    http_server.put("/SUMS", text.encode())
    http_server.put("/x", BODY)
    resource = declare(http_server.url("/x"), checksum=http_server.url("/SUMS"))
    await resource.check_apply(apply=True)
    assert got(tmp_path) == BODY
    (tmp_path / "got").write_bytes(BODY)
    again = declare(http_server.url("/x"), checksum=http_server.url("/SUMS"), interval=60)
    assert await again.check_apply(apply=True) == []
    assert [asked.path for asked in http_server.asked].count("/x") == 1


async def test_a_published_checksum_that_changes_is_followed(http_server, declare, tmp_path):
    sums = http_server.put("/SUMS", f"{SHA256}  x".encode())
    page = http_server.put("/x", BODY)
    params = {"checksum": http_server.url("/SUMS"), "interval": 60}
    await declare(http_server.url("/x"), **params).check_apply(apply=True)
    page.body = b"new"
    sums.body = f"{hashlib.sha256(b'new').hexdigest()}  x".encode()
    assert await declare(http_server.url("/x"), **params).check_apply(apply=True)
    assert got(tmp_path) == b"new"


async def test_a_checksum_file_without_the_name_is_refused(http_server, declare):
    http_server.put("/SUMS", f"{SHA256}  other\n{SHA256}  more".encode())
    resource = declare(http_server.url("/x"), checksum=http_server.url("/SUMS"))
    with pytest.raises(Refused, match="holds no digest of 'x' or 'got'; it has 'other', 'more'"):
        await resource.check_apply(apply=True)


# what stands against it


@pytest.mark.parametrize(
    ("status", "cure"),
    [(404, "there is nothing; correct the url"), (403, "Forbidden; give auth, or headers")],
)
async def test_a_refusal_is_not_repeated(http_server, declare, status, cure):
    http_server.put("/x", BODY).fault(status=status)
    with pytest.raises(Refused, match=cure):
        await declare(http_server.url("/x")).check_apply(apply=True)
    assert len(http_server.asked) == 1


async def test_who_is_not_there_is_named(declare):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(OSError, match=f"nobody listens at 127.0.0.1:{port}; see to the server"):
        await declare(f"http://127.0.0.1:{port}/x", retry=0).check_apply(apply=True)
    with pytest.raises(OSError, match=r"host of 'nosuch.invalid' is not found, .*; see to url"):
        await declare("http://nosuch.invalid/x", retry=0).check_apply(apply=True)


async def test_a_query_is_not_shown(http_server, declare):
    with pytest.raises(Refused) as error:
        await declare(http_server.url("/x?token=secret")).check_apply(apply=True)
    assert "/x?... answers 404" in str(error.value)
    assert "secret" not in str(error.value)


# TLS


async def test_a_certificate_has_to_be_trusted(https_server, declare, tmp_path):
    https_server.put("/x", BODY)
    with pytest.raises(Refused, match=r"is not trusted, .*; name the certificate .* as ca"):
        await declare(https_server.url("/x")).check_apply(apply=True)
    await declare(https_server.url("/x"), ca=https_server.ca).check_apply(apply=True)
    assert got(tmp_path) == BODY


async def test_a_certificate_of_another_host_is_refused(https_server, declare):
    url = https_server.url("/x").replace("127.0.0.1", "127.1")
    with pytest.raises(Refused, match=r"has a certificate of another host, .*; correct the url"):
        await declare(url, ca=https_server.ca).check_apply(apply=True)


async def test_a_certificate_is_shown_to_who_wants_one(https_server, declare, tmp_path):
    https_server.put("/x", BODY)
    https_server.context.verify_mode = ssl.CERT_REQUIRED
    params = {"ca": https_server.ca, "retry": 0}
    with pytest.raises(Refused, match="wants a certificate of us; give one as client_cert"):
        await declare(https_server.url("/x"), **params).check_apply(apply=True)
    shown = https_server.client_cert
    await declare(https_server.url("/x"), client_cert=shown, **params).check_apply(apply=True)
    assert got(tmp_path) == BODY


async def test_from_tls_it_is_not_led_away(http_server, https_server, declare):
    https_server.redirect("/x", http_server.url("/x"))
    with pytest.raises(Refused, match="which is without TLS; if that is wanted, write this url"):
        await declare(https_server.url("/x"), ca=https_server.ca).check_apply(apply=True)
    assert http_server.asked == []
