import os
import socket
import subprocess
import threading
from pathlib import Path

import pytest

pytestmark = pytest.mark.root


def test_what_is_written_in_a_private_directory_is_gone_afterwards(private_parts):
    before = Path("/etc/hostname").exists(), os.listdir("/etc")
    with private_parts("/etc"):
        Path("/etc/motd-of-a-test").write_text("hello")
        seen = subprocess.run(["cat", "/etc/motd-of-a-test"], capture_output=True, check=True)
        assert seen.stdout == b"hello"
    assert (Path("/etc/hostname").exists(), os.listdir("/etc")) == before


def test_a_thread_that_is_started_within_is_within(private_parts, tmp_path):
    seen = []
    with private_parts(str(tmp_path)):
        (tmp_path / "file").touch()
        thread = threading.Thread(target=lambda: seen.append(os.listdir(tmp_path)))
        thread.start()
        thread.join()
    assert seen == [["file"]]
    assert os.listdir(tmp_path) == []


def test_the_hostname_may_be_private(private_parts):
    before = socket.gethostname()
    with private_parts(uts=True):
        socket.sethostname("elsewhere")
        assert os.uname().nodename == "elsewhere"
    assert socket.gethostname() == before


def test_the_network_may_be_private(private_parts):
    before = os.listdir("/sys/class/net"), socket.if_nameindex()
    with private_parts(net=True):
        assert [name for _, name in socket.if_nameindex()] == ["lo"]
    assert (os.listdir("/sys/class/net"), socket.if_nameindex()) == before


def test_more_may_become_private_later(private_parts, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    with private_parts(str(tmp_path)) as more:
        (tmp_path / "one").touch()
        more(str(other), uts=True)
        (other / "two").touch()
    assert os.listdir(tmp_path) == ["other"]
    assert os.listdir(other) == []


def test_the_working_directory_is_what_it_was(private_parts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with private_parts("/etc"):
        pass
    assert Path.cwd() == tmp_path
