"""What is installed is found without importing it, quickly, and never stale."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from setpoint.plugins import EntryPoint, Plugins, cache_file
from setpoint.plugins.cache import scan_all

ACME = "[setpoint.kinds]\nacme = acme_plugin:Acme\n"
Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Write the metadata of a distribution, as pip does; the directory looks settled by default."""

    def install(
        info: str, entry_points: str | bytes = "", folder: str = "site", *, age: float = 60
    ) -> Path:
        site = tmp_path / folder
        (site / info).mkdir(parents=True, exist_ok=True)
        raw = entry_points.encode() if isinstance(entry_points, str) else entry_points
        (site / info / "entry_points.txt").write_bytes(raw)
        then = time.time() - age
        os.utime(site, (then, then))
        return site

    return install


def test_kinds_facts_and_commands_are_known_without_importing_them(install: Install) -> None:
    site = install(
        "Acme_Tools-1.2.dist-info",
        "[console_scripts]\nacme = acme:main\n\n[setpoint.kinds]\nacme = acme_plugin:Acme\n"
        "acme:door = acme_plugin.doors : Door.Front [extra]\n# a comment\n"
        "[setpoint.facts]\nload=acme_facts:Load\n[setpoint.commands]\nring = acme_plugin:ring\n"
        "[setpoint.plugins]\naudit = acme_audit\n",
    )
    plugins = Plugins(path=[str(site)])
    who = ("acme-tools", "1.2")
    assert plugins.kinds() == {
        "acme": EntryPoint("acme", "acme_plugin", "Acme", *who),
        "acme:door": EntryPoint("acme:door", "acme_plugin.doors", "Door.Front", *who),
    }
    assert plugins.facts() == {"load": EntryPoint("load", "acme_facts", "Load", *who)}
    assert plugins.commands() == {"ring": EntryPoint("ring", "acme_plugin", "ring", *who)}
    assert plugins.problems == []


def test_an_old_egg_info_is_found_with_the_version_from_its_metadata(install: Install) -> None:
    site = install("acme.egg-info", ACME)
    (site / "acme.egg-info" / "PKG-INFO").write_text("Metadata-Version: 2.1\nVersion: 0.7\n")
    install("other-2.0-py3.11.egg-info", ACME.replace("acme =", "other ="))
    kinds = Plugins(path=[str(site)]).kinds()
    assert kinds["acme"].origin == "acme 0.7"
    assert kinds["other"].origin == "other 2.0"


def test_of_a_distribution_that_is_there_twice_the_first_counts(install: Install) -> None:
    first = install("acme-2.0.dist-info", ACME, "first")
    second = install("acme-1.0.dist-info", ACME + "old = acme_plugin:Old\n", "second")
    kinds = Plugins(path=[str(first), str(second), str(first)]).kinds()
    assert {name: point.version for name, point in kinds.items()} == {"acme": "2.0"}


def test_a_distribution_without_plugins_hides_a_later_one_with_some(install: Install) -> None:
    first = install("acme-2.0.dist-info", "", "first")
    second = install("acme-1.0.dist-info", ACME, "second")
    assert Plugins(path=[str(first), str(second)]).kinds() == {}


def test_what_is_no_directory_is_passed_over(install: Install, tmp_path: Path) -> None:
    site = install("acme-1.0.dist-info", ACME)
    install("~cme-0.9.dist-info", ACME)
    install(".dist-info", ACME)
    (site / "lone-1.0.egg-info").write_text("Metadata-Version: 1.0\n")
    archive = tmp_path / "library.zip"
    archive.write_bytes(b"PK\5\6" + bytes(18))
    path = [str(archive), str(tmp_path / "missing"), str(site)]
    assert list(Plugins(path=path).kinds()) == ["acme"]


def test_a_blocked_distribution_is_not_there(install: Install) -> None:
    site = install("acme_tools-1.0.dist-info", ACME)
    install("bad-1.0.dist-info", "[setpoint.kinds]\nwhat\n")
    plugins = Plugins(path=[str(site)], block=["Acme.Tools", "bad"])
    assert plugins.kinds() == {}
    assert plugins.problems == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            b"\n[setpoint.kinds]\nacme\n",
            "plugin bad 1.0: entry_points.txt:3: must be 'name = module:object', not 'acme'; "
            "tell its author, or uninstall it",
        ),
        (
            b"[setpoint.facts]\nload = 5:a b\n",
            "plugin bad 1.0: entry_points.txt:2: must be 'name = module:object', "
            "not 'load = 5:a b'; tell its author, or uninstall it",
        ),
        (
            b"[setpoint.kinds]\nb\xc3\xa9 = a:B\nbad = \xff\xfe:B\n",
            "plugin bad 1.0: entry_points.txt:3: is not UTF-8; tell its author, or uninstall it",
        ),
        (
            b"[setpoint.kind]\nbad = bad:Bad\n",
            "plugin bad 1.0: entry_points.txt:1: there is no group 'setpoint.kind', "
            "did you mean 'setpoint.kinds'?; tell its author, or uninstall it",
        ),
        (
            b"[setpoint.kinds\n",
            "plugin bad 1.0: entry_points.txt:1: must end with ], not '[setpoint.kinds'; "
            "tell its author, or uninstall it",
        ),
    ],
)
def test_garbled_metadata_is_named_and_the_others_are_found(
    install: Install, caplog: pytest.LogCaptureFixture, text: bytes, message: str
) -> None:
    site = install("bad-1.0.dist-info", text)
    install("acme-1.0.dist-info", ACME)
    plugins = Plugins(path=[str(site)])
    assert list(plugins.kinds()) == ["acme"]
    assert [str(problem) for problem in plugins.problems] == [message]
    assert caplog.record_tuples == [("setpoint.plugins", logging.WARNING, message)]


@pytest.mark.parametrize(
    "raw", [bytes(range(256)) * 40, b"[x]\n\xff", b"nonsense", b"[setpointless]"]
)
def test_garbage_that_is_none_of_ours_is_passed_over(install: Install, raw: bytes) -> None:
    plugins = Plugins(path=[str(install("bad-1.0.dist-info", raw))])
    assert plugins.kinds() == {}
    assert plugins.problems == []


def test_the_cache_is_used_while_nothing_changed(install: Install, tmp_path: Path) -> None:
    site, cache = install("acme-1.0.dist-info", ACME), tmp_path / "deep" / "cache"
    first = Plugins(path=[str(site)], cache=cache).kinds()
    assert cache.stat().st_mode & 0o777 == 0o600
    (site / "acme-1.0.dist-info" / "entry_points.txt").write_text("")  # the directory is as it was
    assert Plugins(path=[str(site)], cache=cache).kinds() == first


def test_garbled_metadata_is_named_from_the_cache_too(install: Install, tmp_path: Path) -> None:
    site, cache = install("bad-1.0.dist-info", "[setpoint.kinds]\nwhat\n"), tmp_path / "c" / "cache"
    for _ in range(2):
        plugins = Plugins(path=[str(site)], cache=cache)
        assert plugins.kinds() == {}
        assert len(plugins.problems) == 1


def test_a_plugin_that_is_installed_or_uninstalled_is_noticed(
    install: Install, tmp_path: Path
) -> None:
    site, cache = install("acme-1.0.dist-info", ACME), tmp_path / "c" / "cache"
    assert list(Plugins(path=[str(site)], cache=cache).kinds()) == ["acme"]
    install("bell-1.0.dist-info", "[setpoint.kinds]\nbell = bell:Bell\n", age=30)
    assert list(Plugins(path=[str(site)], cache=cache).kinds()) == ["acme", "bell"]
    (site / "acme-1.0.dist-info" / "entry_points.txt").unlink()
    (site / "acme-1.0.dist-info").rmdir()
    assert list(Plugins(path=[str(site)], cache=cache).kinds()) == ["bell"]


@pytest.mark.parametrize("age", [0, 1.5, -3600])
def test_a_directory_that_changed_just_now_is_not_cached(
    install: Install, tmp_path: Path, age: float
) -> None:
    site, cache = install("acme-1.0.dist-info", ACME, age=age), tmp_path / "c" / "cache"
    assert list(Plugins(path=[str(site)], cache=cache).kinds()) == ["acme"]
    when = site.stat().st_mtime_ns
    (site / "bell-1.0.dist-info").mkdir()
    (site / "bell-1.0.dist-info" / "entry_points.txt").write_text("[setpoint.kinds]\nbell = b:B\n")
    os.utime(site, ns=(when, when))  # a coarse clock: the same tick
    assert list(Plugins(path=[str(site)], cache=cache).kinds()) == ["acme", "bell"]


def test_an_egg_info_of_a_source_tree_is_not_cached(install: Install, tmp_path: Path) -> None:
    site, cache = install("acme.egg-info", ""), tmp_path / "c" / "cache"
    assert Plugins(path=[str(site)], cache=cache).kinds() == {}
    (site / "acme.egg-info" / "entry_points.txt").write_text(ACME)  # rewritten in place
    assert list(Plugins(path=[str(site)], cache=cache).kinds()) == ["acme"]


def _flipped(raw: bytes) -> bytes:
    return raw[:-3] + bytes([raw[-3] ^ 64]) + raw[-2:]


@pytest.mark.parametrize(
    "spoil", [lambda raw: b"", lambda raw: raw[: len(raw) // 2], _flipped, lambda raw: b"\0" * 9000]
)
def test_a_torn_cache_is_done_without_and_mended(
    install: Install, tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    site, cache = install("acme-1.0.dist-info", ACME), tmp_path / "c" / "cache"
    assert list(Plugins(path=[str(site)], cache=cache).kinds()) == ["acme"]
    whole = cache.read_bytes()
    cache.write_bytes(spoil(whole))
    assert list(Plugins(path=[str(site)], cache=cache).kinds()) == ["acme"]
    assert cache.read_bytes() == whole


def test_a_cache_that_others_can_write_is_not_believed(install: Install, tmp_path: Path) -> None:
    site, cache = install("acme-1.0.dist-info", ACME), tmp_path / "c" / "cache"
    Plugins(path=[str(site)], cache=cache).kinds()
    (site / "acme-1.0.dist-info" / "entry_points.txt").write_text("")
    cache.chmod(0o666)
    assert Plugins(path=[str(site)], cache=cache).kinds() == {}


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_cache_of_somebody_else_is_not_believed(install: Install, tmp_path: Path) -> None:
    site, cache = install("acme-1.0.dist-info", ACME), tmp_path / "c" / "cache"
    Plugins(path=[str(site)], cache=cache).kinds()
    (site / "acme-1.0.dist-info" / "entry_points.txt").write_text("")
    os.chown(cache, 65534, 65534)
    assert Plugins(path=[str(site)], cache=cache).kinds() == {}


def test_a_cache_that_cannot_be_is_done_without(install: Install, tmp_path: Path) -> None:
    site = install("acme-1.0.dist-info", ACME)
    (tmp_path / "file").write_text("")
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    os.mkfifo(tmp_path / "pipe")
    for name in ("file/cache", "directory", "link", "pipe"):
        assert list(Plugins(path=[str(site)], cache=tmp_path / name).kinds()) == ["acme"]
    assert not (tmp_path / "target").exists()
    assert not list(tmp_path.glob("*.[0-9]*"))


def test_a_cache_within_the_path_is_not_written(install: Install) -> None:
    site = install("acme-1.0.dist-info", ACME)
    Plugins(path=[str(site)], cache=site / "cache").kinds()
    assert not (site / "cache").exists()


def test_environments_that_share_a_cache_keep_each_others_entries(
    install: Install, tmp_path: Path
) -> None:
    sites = [str(install(f"a{n}-1.0.dist-info", ACME, f"site{n}")) for n in range(70)]
    cache = tmp_path / "c" / "cache"
    for site in sites:
        scan_all([site], cache)
    before = cache.stat().st_ino
    for site in sites[-64:]:
        scan_all([site], cache)
    assert cache.stat().st_ino == before, "all of them were found in it"
    scan_all(sites[:1], cache)
    assert cache.stat().st_ino != before, "the oldest had made room"


def test_the_cache_of_a_user_is_below_their_cache_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CACHE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert cache_file() == str(tmp_path / "setpoint" / "plugins")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert cache_file() == "/var/cache/setpoint/plugins", "nothing of root's in a user's home"
    monkeypatch.setenv("CACHE_DIRECTORY", "/run/cache/setpoint:/other")
    assert cache_file() == "/run/cache/setpoint/plugins"


def test_a_working_directory_that_has_gone_is_passed_over(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, gone = install("acme-1.0.dist-info", ACME), tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert list(Plugins(path=["", str(site)]).kinds()) == ["acme"]


def test_finding_plugins_imports_nothing_heavy() -> None:
    heavy = {"importlib.metadata", "inspect", "pluggy", "msgspec", "asyncio", "logging"}
    program = (
        "import sys; from setpoint.plugins import Plugins; Plugins(path=sys.path).commands(); "
        f"print(sorted({heavy!r} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "[]\n"


def test_the_cache_saves_reading_two_hundred_distributions(
    install: Install, tmp_path: Path
) -> None:
    for number in range(200):
        site = install(f"p{number}-1.0.dist-info", ACME if number % 4 == 0 else "[x]\n")
    scanned = _seconds(lambda: scan_all([str(site)], None))
    cached = _seconds(lambda: scan_all([str(site)], tmp_path / "c" / "cache"))
    assert cached < scanned / 4


def _seconds(work: Callable[[], object]) -> float:
    """Return the processor time that `work` takes, best of nine."""

    def once() -> float:
        started = time.process_time()
        work()
        return time.process_time() - started

    return min(once() for _ in range(9))
