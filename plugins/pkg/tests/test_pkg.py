"""The pkg resource against the real apt and dpkg, on a machine of the test's own."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from setpoint import ParamError, Refused
from setpoint.testing import ResourceSuite
from setpoint_pkg import Pkg, backend

GATHERING = backend.GATHERING
pytestmark = pytest.mark.root


def shown(changes: list[Any]) -> list[str]:
    return [str(change) for change in changes]


class TestPkg(ResourceSuite):
    refuses_others = True

    @pytest.fixture
    def resource(self, host, machine, repository):
        repository.add("sp-demo")
        repository.publish()
        self.machine = machine
        return Pkg("sp-demo", _host=host)

    async def disturb(self, resource):
        self.machine.run("dpkg", "--remove", resource.name)

    def observe(self, resource):
        return self.machine.status(resource.name)


# The states.


async def test_installed_takes_the_newest_and_then_whatever_is_there(machine, repository, pkg):
    repository.add("sp-a", "1.0")
    repository.add("sp-a", "2.0")
    repository.publish()
    assert shown(await pkg("sp-a").check_apply(apply=True)) == ["state: None -> 'installed'"]
    assert machine.version("sp-a") == "2.0"
    machine.run("apt-get", "install", "-y", "--allow-downgrades", "sp-a=1.0")
    assert await pkg("sp-a").check_apply(apply=True) == []
    assert machine.version("sp-a") == "1.0"


async def test_newest_is_updated_when_the_lists_have_more(machine, repository, pkg):
    repository.add("sp-a", "1.0")
    repository.publish()
    it = pkg("sp-a", "newest")
    await it.check_apply(apply=True)
    assert await it.check_apply(apply=True) == []
    repository.add("sp-a", "1.1")
    repository.publish()
    assert shown(await it.check_apply(apply=True)) == ["state: '1.0' -> '1.1'"]
    assert machine.version("sp-a") == "1.1"
    assert it.send().version == "1.1"


async def test_a_version_may_be_an_older_one(machine, repository, pkg):
    for version in ("1.0", "1.1-1", "1.1-2", "2.0"):
        repository.add("sp-a", version)
    repository.publish()
    await pkg("sp-a").check_apply(apply=True)
    assert shown(await pkg("sp-a", "1.0").check_apply(apply=True)) == ["state: '2.0' -> '1.0'"]
    assert machine.version("sp-a") == "1.0"
    await pkg("sp-a", "1.1*").check_apply(apply=True)
    assert machine.version("sp-a") == "1.1-2"
    assert await pkg("sp-a", "1.1*").check_apply(apply=True) == []


async def test_absent_keeps_configuration_files_and_purged_does_not(machine, repository, pkg):
    repository.add("sp-a", files={"etc/sp-a.conf": "shipped\n"})
    repository.publish()
    config = Path("/etc/sp-a.conf")
    await pkg("sp-a").check_apply(apply=True)
    assert shown(await pkg("sp-a", "absent").check_apply(apply=True)) == [
        "state: '1.0' -> 'absent'"
    ]
    assert config.exists()
    assert await pkg("sp-a", "absent").check_apply(apply=True) == []
    assert shown(await pkg("sp-a", "purged").check_apply(apply=True)) == [
        "state: 'removed' -> 'purged'"
    ]
    assert not config.exists()
    await pkg("sp-a").check_apply(apply=True)
    await pkg("sp-a", "purged").check_apply(apply=True)
    assert machine.status("sp-a") == ""
    assert not config.exists()


async def test_an_edited_configuration_file_is_kept_without_a_question(machine, repository, pkg):
    repository.add("sp-a", "1.0", files={"etc/sp-a.conf": "shipped\n"})
    repository.publish()
    await pkg("sp-a").check_apply(apply=True)
    Path("/etc/sp-a.conf").write_text("edited\n")
    repository.add("sp-a", "2.0", files={"etc/sp-a.conf": "shipped anew\n"})
    repository.publish()
    await pkg("sp-a", "2.0").check_apply(apply=True)
    assert machine.version("sp-a") == "2.0"
    assert Path("/etc/sp-a.conf").read_text() == "edited\n"
    assert Path("/etc/sp-a.conf.dpkg-dist").read_text() == "shipped anew\n"


async def test_a_held_package_is_only_changed_by_who_declares_the_hold(machine, repository, pkg):
    repository.add("sp-a", "1.0")
    repository.publish()
    assert shown(await pkg("sp-a", hold=True).check_apply(apply=True)) == [
        "state: None -> 'installed'",
        "hold: False -> True",
    ]
    assert machine.status("sp-a") == "hold ok installed 1.0"
    repository.add("sp-a", "2.0")
    repository.publish()
    with pytest.raises(Refused, match=r"sp-a is on hold at 1.0; run apt-mark unhold sp-a"):
        await pkg("sp-a", "2.0").check_apply(apply=True)
    await pkg("sp-a", "2.0", hold=True).check_apply(apply=True)
    assert machine.status("sp-a") == "hold ok installed 2.0"
    assert shown(await pkg("sp-a", hold=False).check_apply(apply=True)) == ["hold: True -> False"]
    assert machine.status("sp-a") == "install ok installed 2.0"


async def test_what_is_recommended_comes_or_not(machine, repository, pkg):
    repository.add("sp-r")
    repository.add("sp-a", fields="Recommends: sp-r\n")
    repository.publish()
    await pkg("sp-a", recommends=False).check_apply(apply=True)
    assert machine.version("sp-r") == ""
    await pkg("sp-a", "absent").check_apply(apply=True)
    await pkg("sp-a", recommends=True).check_apply(apply=True)
    assert machine.version("sp-r") == "1.0"


# Together.


async def test_thirty_packages_are_one_transaction(machine, repository, engine, monkeypatch):
    monkeypatch.setattr(backend, "GATHERING", GATHERING)
    names = [f"sp-{number}" for number in range(30)]
    for name in names:
        repository.add(name)
    repository.publish()
    result = await engine.converge(*map(Pkg, names))
    assert result.ok
    assert result.repairs == 30
    assert [machine.version(name) for name in names] == ["1.0"] * 30
    assert len(machine.transactions) == 1


async def test_some_go_while_others_come(machine, repository, engine, monkeypatch):
    monkeypatch.setattr(backend, "GATHERING", GATHERING)
    repository.add("sp-old")
    repository.add("sp-new", fields="Conflicts: sp-old\n")
    repository.publish()
    machine.run("apt-get", "install", "-y", "sp-old")
    result = await engine.converge(Pkg("sp-old", state="absent"), Pkg("sp-new"))
    assert result.ok
    assert (machine.version("sp-old"), machine.version("sp-new")) == ("", "1.0")
    assert len(machine.transactions) == 2


async def test_each_fault_is_told_where_it_is_and_all_others_are_installed(
    machine, repository, pkg
):
    good = [f"sp-good{number}" for number in range(8)]
    for name in good:
        repository.add(name)
    repository.add("sp-fails", postinst="echo it is broken >&2; exit 3")
    repository.add("sp-needs", fields="Depends: sp-not-there\n")
    repository.add("sp-lost")
    repository.publish()
    repository.remove("sp-lost")
    names = [*good, "sp-fails", "sp-needs", "sp-lost", "sp-god0"]
    applied = [pkg(name).check_apply(apply=True) for name in names]
    done = dict(zip(names, await asyncio.gather(*applied, return_exceptions=True), strict=True))
    assert [machine.version(name) for name in good] == ["1.0"] * 8
    assert all(shown(done[name]) == ["state: None -> 'installed'"] for name in good)
    assert "sp-fails must be installed, is half-configured" in str(done["sp-fails"])
    assert "returned error exit status 3" in str(done["sp-fails"])
    assert "Depends: sp-not-there but it is not installable" in str(done["sp-needs"])
    assert "sp-lost must be installed, is absent" in str(done["sp-lost"])
    assert str(done["sp-god0"]) == "apt knows no package 'sp-god0'; did you mean 'sp-good0'?"


async def test_a_version_that_is_not_there_names_those_that_are(machine, repository, pkg):
    repository.add("sp-a", "1.0")
    repository.add("sp-a", "2.0")
    repository.publish()
    with pytest.raises(Refused, match=r"apt has no version '3' of sp-a; it has 2.0, 1.0"):
        await pkg("sp-a", "3").check_apply(apply=True)


async def test_a_package_that_only_others_provide_names_them(machine, repository, pkg):
    repository.add("sp-postfix", fields="Provides: sp-mta\n")
    repository.publish()
    with pytest.raises(Refused, match="others name it; declare sp-postfix"):
        await pkg("sp-mta").check_apply(apply=True)


# Lists.


async def test_a_package_that_the_lists_do_not_know_has_them_refreshed(machine, repository, pkg):
    repository.publish()
    repository.add("sp-a")
    repository.publish(update=False)
    await pkg("sp-a").check_apply(apply=True)
    assert machine.version("sp-a") == "1.0"


async def test_old_lists_are_refreshed_once_and_fresh_ones_are_not(
    machine, repository, pkg, host, monkeypatch
):
    for name in ("sp-a", "sp-b"):
        repository.add(name, "1.0")
    repository.publish()
    repository.add("sp-a", "2.0")
    repository.publish(update=False)
    await pkg("sp-b").check_apply(apply=True)
    assert "refreshes" not in host.said("sp-b")
    both = pkg("sp-a", max_age=0), pkg("sp-b", "newest", max_age=0)
    for it in both:
        await it.check_apply(apply=True)
    assert machine.version("sp-a") == "2.0"
    assert [text for _, text in host.shown].count("refreshes the lists of packages") == 1


async def test_a_source_that_does_not_answer_is_logged_and_the_others_serve(
    machine, repository, pkg, caplog
):
    repository.add("sp-a")
    repository.publish(update=False)
    with Path("/etc/apt/sources.list").open("a") as file:
        file.write("deb [trusted=yes] file:/nowhere ./\n")
    await pkg("sp-a", max_age=0).check_apply(apply=True)
    assert machine.version("sp-a") == "1.0"
    assert "could not refresh all lists" in caplog.text
    assert "/nowhere" in caplog.text


# What is declared.


@pytest.mark.parametrize("name", ["-o", "a b", "Nginx", "--", "a", "nginx=1", "a/b", "nginx-"])
def test_a_name_that_is_no_package_is_refused(name):
    with pytest.raises(ParamError, match="name must be a package"):
        Pkg(name)


def test_a_misspelled_state_is_told():
    with pytest.raises(ParamError, match="did you mean 'newest'"):
        Pkg("nginx", state="newst")
    with pytest.raises(ParamError, match="hold does not go with state newest"):
        Pkg("nginx", state="newest", hold=True)


def test_what_is_not_installed_is_likely_to_bring_a_service(machine):
    things = {tuple(thing) for thing in Pkg("nginx").provides()}
    assert things == {
        ("package", "nginx"),
        ("unit", "nginx.service"),
        ("owned", "/etc/nginx"),
        ("owned", "/usr/bin/nginx"),
        ("owned", "/usr/sbin/nginx"),
    }
    assert list(Pkg("nginx", state="absent").provides()) == []


def test_a_package_of_a_server_is_likely_to_bring_a_service_by_its_bare_name(machine):
    units = [name for what, name in Pkg("mariadb-server").provides() if what == "unit"]
    assert units == ["mariadb-server.service", "mariadb.service"]
    edges = list(Pkg("mariadb-server:arm64").provides())
    assert ("unit", "mariadb.service") in {tuple(thing) for thing in edges}


async def test_what_is_installed_provides_what_it_owns(machine, repository, pkg):
    files = {
        "etc/sp-a/main.conf": "x",
        "lib/systemd/system/sp-daemon.service": "[Unit]\n",
        "bin/sp-run": "x",
    }
    repository.add("sp-a", files=files)
    repository.publish()
    before = list(pkg("sp-a").provides())
    await pkg("sp-a").check_apply(apply=True)
    things = {tuple(thing) for thing in pkg("sp-a").provides()}
    assert things >= {
        ("package", "sp-a"),
        ("unit", "sp-daemon.service"),
        ("owned", "/etc/sp-a/main.conf"),
        ("owned", "/etc/sp-a"),
        ("owned", "/usr/bin/sp-run"),
    }
    assert things >= {tuple(thing) for thing in before}  # edges stay as they were
    assert ("owned", "/etc") not in things


async def test_its_reverse_brings_back_what_was(machine, repository, pkg):
    repository.add("sp-a", "1.0")
    repository.add("sp-a", "2.0")
    repository.publish()
    back = pkg("sp-a").reversed()
    assert (back.name, back.state) == ("sp-a", "absent")
    await pkg("sp-a", "1.0").check_apply(apply=True)
    back = pkg("sp-a", "newest", hold=False).reversed()
    assert (back.state, back.hold) == ("1.0", False)
