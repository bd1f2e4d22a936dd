"""Password: made once, kept unseen, never empty, and an edit is noticed."""

import asyncio
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint import Change, ParamError, Refused, Secret
from setpoint.host import Host
from setpoint.testing import ResourceSuite
from setpoint_password import ALPHABET, Password

NEW = [Change("password", None, "(secret)")]
TAMPERED = [Change("password", "(tampered)", "(secret)")]

Make = Callable[..., Password]


@pytest.fixture
def make(host: Host) -> Make:
    """Make the same password resource again, as a restart does."""

    def made(**params: Any) -> Password:
        return Password("db", _host=host, **params)

    return made


def file_of(password: Password) -> Path:
    return password.host.state_directory(password) / "password"


def value_of(password: Password) -> str:
    return password.send().password.reveal()


class TestPassword(ResourceSuite):
    @pytest.fixture
    def resource(self, make: Make) -> Password:
        return make()

    async def disturb(self, resource: Password) -> None:
        file_of(resource).unlink()

    def observe(self, resource: Password) -> object:
        """Only what it is made of: it is another one each time."""
        file = file_of(resource)
        return (stat.S_IMODE(file.stat().st_mode), len(file.read_text())) if file.exists() else None


async def test_without_a_password_nothing_is_sent_least_of_all_an_empty_one(make: Make) -> None:
    password = make()
    await password.check_apply(apply=False)
    with pytest.raises(Refused, match="there is no password yet; run it once without noop"):
        password.send()


async def test_it_outlives_a_restart(make: Make) -> None:
    first, second = make(), make()
    await first.check_apply(apply=True)
    assert await second.check_apply(apply=True) == []
    assert value_of(second) == value_of(first)


async def test_it_is_readable_by_its_owner_only(make: Make) -> None:
    password = make()
    await password.check_apply(apply=True)
    assert stat.S_IMODE(file_of(password).stat().st_mode) == 0o600
    assert stat.S_IMODE(file_of(password).parent.stat().st_mode) == 0o700


async def test_a_widened_mode_is_narrowed_and_the_password_kept(make: Make) -> None:
    password = make()
    await password.check_apply(apply=True)
    before = value_of(password)
    file_of(password).chmod(0o644)
    assert await password.check_apply(apply=True) == [Change("mode", "0644", "0600")]
    assert stat.S_IMODE(file_of(password).stat().st_mode) == 0o600
    assert await password.check_apply(apply=True) == []
    assert value_of(password) == before


async def test_a_notification_makes_a_new_one_that_stays(make: Make) -> None:
    password = make()
    await password.check_apply(apply=True)
    before = value_of(password)
    password.refresh()
    assert value_of(password) != before
    assert await password.check_apply(apply=True) == []
    again = make()
    assert await again.check_apply(apply=True) == []
    assert value_of(again) == value_of(password)


async def test_removing_the_file_makes_a_new_one(make: Make) -> None:
    password = make()
    await password.check_apply(apply=True)
    before = value_of(password)
    file_of(password).unlink()
    assert await password.check_apply(apply=True) == NEW
    assert value_of(password) != before


def edit(resource: Password, **changes: str) -> None:
    path = file_of(resource)
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


async def test_an_edited_password_is_an_error_that_says_how_to_go_on(make: Make) -> None:
    password = make()
    await password.check_apply(apply=True)
    edit(password, password="x" * 64)
    cure = "was edited by somebody; remove .*/password or set check_recovery: true"
    for resource in (password, make()):
        with pytest.raises(Refused, match=cure):
            await resource.check_apply(apply=True)


@pytest.mark.parametrize("content", [b"", b"hunter2\n", b"\xff", b"[1]", b"{}", b'{"key": 1}'])
async def test_with_recovery_whatever_somebody_wrote_is_replaced(
    make: Make, content: bytes
) -> None:
    password = make(check_recovery=True)
    await password.check_apply(apply=True)
    before = value_of(password)
    file_of(password).write_bytes(content)
    assert await password.check_apply(apply=True) == TAMPERED
    assert value_of(password) != before
    assert await password.check_apply(apply=True) == []


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"length": 12}, "has 64 characters, not 12"), ({"alphabet": "ab"}, "outside the alphabet")],
)
async def test_a_kept_one_that_does_not_fit_is_an_error_or_with_recovery_replaced(
    make: Make, changed: dict[str, Any], message: str
) -> None:
    await make().check_apply(apply=True)
    with pytest.raises(Refused, match=message):
        await make(**changed).check_apply(apply=True)
    willing = make(check_recovery=True, **changed)
    assert await willing.check_apply(apply=True) == [
        Change("password", "(does not fit)", "(secret)")
    ]
    assert await willing.check_apply(apply=True) == []


async def test_unsaved_it_is_not_on_disk_and_a_restart_makes_a_new_one(make: Make) -> None:
    first = make(saved=False)
    assert await first.check_apply(apply=True) == NEW
    assert await first.check_apply(apply=True) == []
    assert value_of(first) not in file_of(first).read_text()
    second = make(saved=False)
    assert await second.check_apply(apply=True) == NEW
    assert len(value_of(second)) == 64
    assert value_of(second) != value_of(first)


async def test_unsaved_an_edited_mark_asks_for_a_new_one(make: Make) -> None:
    password = make(saved=False)
    await password.check_apply(apply=True)
    before = value_of(password)
    file_of(password).write_text("{}")
    assert await password.check_apply(apply=True) == TAMPERED
    assert value_of(password) != before


async def test_what_was_unsaved_is_made_anew_to_be_saved_and_the_other_way_round(
    make: Make,
) -> None:
    await make(saved=False).check_apply(apply=True)
    assert await make(saved=True).check_apply(apply=True) == NEW
    unsaved = make(saved=False)
    assert await unsaved.check_apply(apply=True) == NEW
    assert value_of(unsaved) not in file_of(unsaved).read_text()


async def test_the_value_is_in_no_change_message_or_representation(make: Make) -> None:
    password = make()
    changes = await password.check_apply(apply=True)
    value = value_of(password)
    sent = password.send()
    edit(password, password=value[::-1])
    with pytest.raises(Refused) as refused:
        await password.check_apply(apply=True)
    shown = f"{changes} {changes[0]} {password!r} {sent!r} {refused.value} {refused.value!r}"
    assert value not in shown
    assert value[::-1] not in shown
    assert isinstance(sent.password, Secret)


async def test_tampering_is_heard(make: Make) -> None:
    password = make(check_recovery=True)
    heard = asyncio.Event()
    watch = password.watch()
    watch.start(heard.set)
    await password.check_apply(apply=True)
    heard.clear()
    edit(password, password="mine")
    await heard.wait()
    assert await password.check_apply(apply=True) == TAMPERED
    watch.stop()


async def test_a_link_in_its_place_is_not_followed(make: Make, tmp_path: Path) -> None:
    password = make(check_recovery=True)
    (tmp_path / "else").write_text("not yours")
    file_of(password).symlink_to(tmp_path / "else")
    with pytest.raises((Refused, OSError)):
        await password.check_apply(apply=True)
    assert (tmp_path / "else").read_text() == "not yours"


@given(length=st.integers(1, 200), alphabet=st.text(min_size=2, max_size=20))
def test_every_password_fits_its_params(
    tmp_path_factory: pytest.TempPathFactory, length: int, alphabet: str
) -> None:
    if len(set(alphabet)) < 2:
        return
    host = Host(state=tmp_path_factory.mktemp("state"))
    password = Password("any", length=length, alphabet=alphabet, _host=host)
    password.apply(password.check())
    assert password.check() == []
    assert len(value_of(password)) == length
    assert set(value_of(password)) <= set(alphabet)
    host.close()


def test_all_of_the_alphabet_is_used(make: Make) -> None:
    password = make(length=4096)
    password.apply(password.check())
    assert set(value_of(password)) == set(ALPHABET)


@pytest.mark.parametrize("alphabet", ["", "a", "aaa"])
def test_an_alphabet_that_leaves_no_choice_is_refused(alphabet: str) -> None:
    with pytest.raises(ParamError, match="alphabet must have at least 2 different characters"):
        Password("db", alphabet=alphabet)


@pytest.mark.parametrize("length", [0, 4097])
def test_a_length_out_of_range_is_refused(length: int) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": "db", "length": length}, Password)


async def test_a_state_directory_that_cannot_be_written_is_said(make: Make) -> None:
    password = make()
    file_of(password).mkdir()
    with pytest.raises((OSError, Refused)):
        await password.check_apply(apply=True)
    os.rmdir(file_of(password))
