"""The small parts: what is told of a transfer, how long it waits, how many there are at once."""

import asyncio
import threading
import time

import pytest

from setpoint import Refused
from setpoint.clock import Clock
from setpoint.host import Host
from setpoint_http import digests
from setpoint_http.client import is_home
from setpoint_http.dates import seconds_until, validator
from setpoint_http.faults import BrokenError, shown
from setpoint_http.locations import location_of
from setpoint_http.meter import Meter, amount
from setpoint_http.stopping import MOST, Pool, Stop, StoppedError
from setpoint_http.tries import Tries

SUM = "0" * 64


class Hand(Clock):
    """A clock that is moved by hand."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


def test_progress_is_told_four_times_a_second_with_rate_and_rest():
    clock, told = Hand(), []
    meter = Meter(clock, told.append)
    for step in range(1, 101):  # 10 MB at 1 MB/s
        clock.now = step / 10
        meter.add(100_000, step * 100_000, 10_000_000)
    assert len(told) == 33
    assert told[0] == "300.0 kB of 10.0 MB, 1.0 MB/s, 10 s left"
    meter.add(1, 10_000_001, -1)
    clock.now += 1
    meter.add(1, 10_000_002, -1)
    assert told[-1] == "10.0 MB, 909.1 kB/s"
    assert [amount(size) for size in (0, 999, 1000, 5e15)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "5000.0 TB",
    ]


def test_pauses_grow_and_are_counted_anew_after_a_success():
    told: list[str] = []
    stop = Stop()
    waited: list[float] = []
    stop.wait = waited.append  # type: ignore[method-assign]
    tries = Tries(10, stop, told.append)
    for _ in range(10):
        tries.failed(BrokenError("it broke"))
    assert all(0.1 * 2**n <= min(pause * 1.0001, 30) for n, pause in enumerate(waited[:7]))
    assert max(waited) <= 30
    with pytest.raises(BrokenError):
        tries.failed(BrokenError("it broke"))
    tries.brought_something()
    tries.failed(BrokenError("it broke", after=100_000))
    assert waited[-1] == 300
    assert told[-1] == "it broke; tries again in 300.0 s"


def test_a_stop_ends_a_pause_at_once():
    stop = Stop()
    threading.Timer(0.05, stop.tell).start()
    with pytest.raises(StoppedError):
        stop.wait(10)


async def test_transfers_are_few_at_once_and_one_for_each_owner(host: Host):
    pool, most, lock = host.shared(Pool), [0, 0], threading.Lock()
    full = threading.Barrier(MOST)

    def work(stop: Stop) -> None:
        with lock:
            most[0] += 1
            most[1] = max(most)
        full.wait(5)
        with lock:
            most[0] -= 1

    await asyncio.gather(*(pool.run(f"owner {n}", work) for n in range(3 * MOST)))
    assert most == [0, MOST]
    running: list[int] = []

    def alone(stop: Stop) -> None:
        assert not running
        running.append(1)
        stop.wait(0.001)
        running.pop()

    await asyncio.gather(*(pool.run("one", alone) for _ in range(20)))


async def test_what_a_transfer_raises_is_raised(host: Host):
    def work(stop: Stop) -> None:
        raise StopIteration("odd")

    with pytest.raises(RuntimeError, match="StopIteration"):
        await host.shared(Pool).run("x", work)


def test_times_of_servers_are_understood():
    assert seconds_until("7") == 7
    assert seconds_until("") is seconds_until("soon") is seconds_until("-1") is None
    assert seconds_until("Thu, 01 Jan 1970 00:00:00 GMT") == 0
    past = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 100))
    assert 97 < seconds_until(past) <= 100


def test_only_what_is_strong_tells_versions_apart():
    modified = {"last-modified": "Thu, 01 Jan 1970 00:00:00 GMT"}
    assert validator({"etag": '"1"', **modified}) == '"1"'
    assert validator({"etag": 'W/"1"', **modified}) == ""
    assert validator({**modified, "date": "Thu, 01 Jan 1970 00:00:00 GMT"}) == ""
    assert validator({**modified, "date": "Thu, 01 Jan 1970 00:00:01 GMT"}) != ""
    assert validator(modified) == validator({}) == ""


@pytest.mark.parametrize(
    ("url", "home"),
    [
        ("http://host/y", True),
        ("http://host:80/y", True),
        ("https://host/y", True),
        ("http://host:81/y", False),
        ("https://host:81/y", False),
        ("http://host.evil/y", False),
        ("http://HOST/y", True),
        ("http://host@evil/y", False),
    ],
)
def test_credentials_stay_at_home(url, home):
    assert is_home("http://host/x", url) is home


def test_from_tls_they_never_leave():
    assert not is_home("https://host/x", "http://host/x")


def test_urls_are_shown_without_what_may_be_secret():
    assert shown("http://ann:secret@host:1/x?token=secret#x") == "http://host:1/x?..."


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"{SUM}  x", "sha256"),
        (f"\\{SUM}  x", "sha256"),
        (f"{SUM} *dir/x", "sha256"),
        (f"SHA256(x)= {SUM}", "sha256"),
        (f"SHA-256 (x) = {SUM}", "sha256"),
        (f"{SUM}\n", "sha256"),
        (f"-----BEGIN PGP SIGNED MESSAGE-----\n\n{SUM}  x\n", "sha256"),
    ],
)
def test_checksum_files_are_understood(text, found):
    assert digests.find(text, ["x"], "http://host/S") == (found, SUM)


@pytest.mark.parametrize("text", ["", "<html>", f"{SUM[1:]}  x", f"MD5 (x) = {SUM}"])
def test_what_is_no_checksum_file_is_refused(text):
    with pytest.raises(
        Refused, match="http://host/S holds no digest; it must look like the output"
    ):
        digests.find(text, ["x"], "http://host/S")


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a/", "/a/"),
        ("/a%20b", "/a b"),
        ("/%25", "/%"),
        ("/caf%c3%a9", "/café"),
        ("", None),
        ("a", None),
        ("//", None),
        ("/a//b", None),
        ("/./a", None),
        ("/a/..", None),
        ("/a%00", None),
    ],
)
def test_locations_are_decoded_once(target, location):
    assert location_of(target) == location
