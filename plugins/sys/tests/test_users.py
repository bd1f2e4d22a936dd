"""Accounts, as the real tools make and change them."""

import subprocess

import pytest

from setpoint.testing import FactSuite
from setpoint_sys.users import Users

pytestmark = pytest.mark.root


def run(words: str) -> None:
    subprocess.run(words.split(), check=True)


class TestUsers(FactSuite):
    @pytest.fixture
    def fact(self, host, private):
        private("/etc")
        self.number = 0
        return Users(_host=host)

    async def change(self, fact):
        self.number += 1
        run(f"useradd --no-create-home fact{self.number}")


async def test_an_account_is_told_as_it_comes_changes_and_goes(host, private, follow):
    private("/etc")
    async with follow(Users("ann", _host=host)) as values:
        assert await values.next() == {}
        run("groupadd --gid 4711 staff-of-ann")
        run(
            "useradd --no-create-home --uid 4712 --gid 4711 --shell /bin/sh --home-dir /srv/ann ann"
        )
        user = (await values.until(lambda users: "ann" in users))["ann"]
        assert (user.uid, user.gid, user.group, user.groups) == (
            4712,
            4711,
            "staff-of-ann",
            ["staff-of-ann"],
        )
        assert (user.homedir, user.shell, user.comment) == ("/srv/ann", "/bin/sh", "")
        run("usermod --append --groups adm,sudo ann")
        await values.until(lambda users: users["ann"].groups == ["adm", "staff-of-ann", "sudo"])
        run("usermod --comment Ann,Room,7 ann")
        await values.until(lambda users: users["ann"].comment == "Ann,Room,7")
        run("userdel ann")
        assert await values.until(lambda users: not users) == {}


async def test_all_of_them_are_told_by_name(host, follow):
    async with follow(Users(_host=host)) as values:
        users = await values.next()
    assert users["root"].uid == 0
    assert users["root"].groups[0] == "root"
    assert len(users) > 5
