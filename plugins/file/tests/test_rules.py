from pathlib import Path

import msgspec
import pytest

from setpoint import ParamError
from setpoint_file import File
from setpoint_file.modes import Mode, parse_mode


@pytest.mark.parametrize(
    ("path", "params", "message"),
    [
        ("etc/motd", {}, "path must be an absolute path, not 'etc/motd'"),
        ("/etc/../motd", {}, "path must have no . or .. in it"),
        ("/a\0b", {}, "path must be an absolute path"),
        ("/f", {"content": "", "source": "/s"}, "source does not go with content; keep one"),
        ("/f", {"content": "", "fragments": ["/s"]}, "fragments does not go with content"),
        ("/f", {"content": "", "state": "absent"}, "content does not go with state absent"),
        ("/d/", {"content": ""}, "content does not go with a directory; write path without /"),
        ("/d/", {"fragments": ["/s"]}, "fragments does not go with a directory"),
        ("/d/", {"symlink": True, "source": "/s/"}, "symlink does not go with a directory"),
        ("/f", {"symlink": True}, "symlink needs source, where it is to lead"),
        ("/f", {"symlink": True, "source": "x", "mode": "0644"}, "mode does not go with symlink"),
        ("/f", {"source": "s"}, "source must be an absolute path, not 's'"),
        ("/f", {"source": "/s/"}, "source and path must both end in / or neither"),
        ("/d/", {"source": "/s", "recurse": True}, "source and path must both end in /"),
        ("/d/", {"source": "/s/"}, "source needs recurse to copy a directory"),
        ("/s/d/", {"source": "/s/", "recurse": True}, "source must not lie where it is copied"),
        ("/f", {"fragments": ["x"]}, "fragments must be an absolute path, not 'x'"),
        ("/d/f", {"fragments": ["/d/"]}, "fragments must not hold the file itself"),
        ("/d/", {"purge": True}, "purge needs a directory and recurse"),
        ("/f", {"purge": True, "recurse": True}, "purge needs a directory and recurse"),
        (
            "/d/",
            {"purge": True, "recurse": True, "state": "absent"},
            "purge does not go with state",
        ),
        ("/d/", {"purge": True, "recurse": True, "backup": True}, "backup must name a directory"),
        ("/f", {"backup": "old"}, "backup must be an absolute path, not 'old'"),
        ("/f", {"mode": "rw-r--r--"}, "mode must be octal up to 07777 or like u=rw,g=r,o=, not"),
        ("/f", {"mode": "+x"}, "mode must say how it is to be, not what to change, as '\\+x' does"),
        ("/f", {"mode": "u=rw,g-w"}, "mode must say how it is to be"),
        ("/f", {"mode": "17777"}, "mode must be octal up to 07777"),
    ],
)
def test_params_that_do_not_go_together_are_refused(path, params, message):
    with pytest.raises(ParamError, match=message):
        File(path, **params)


def test_the_path_may_differ_from_the_name():
    file = File("the message of the day", path="/etc/motd")
    assert file.at == "/etc/motd"
    assert File("/").at == "/"


@pytest.mark.parametrize("param", ["content", "source", "fragments", "mode", "path"])
def test_a_param_that_is_received_later_counts_as_given(param):
    File("/f", **{param: msgspec.UNSET})
    if param in ("source", "fragments"):
        with pytest.raises(ParamError):
            File("/f", content="", **{param: msgspec.UNSET})


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("", Mode(0, 0)),
        ("0644", Mode(0o7777, 0o644)),
        ("755", Mode(0o7777, 0o755)),
        ("04755", Mode(0o7777, 0o4755)),
        ("u=rw,g=r,o=", Mode(0o7777, 0o640)),
        ("a=rx", Mode(0o7777, 0o555)),
        ("u=rwxs,go=rx", Mode(0o7777, 0o4755)),
        ("a=rwxt", Mode(0o7777, 0o1777)),
        ("g=rws", Mode(0o2070, 0o2060)),
        ("u=r,u=w", Mode(0o4700, 0o200)),
    ],
)
def test_modes_are_octal_or_symbolic(text, mode):
    assert parse_mode(text) == mode


def test_classes_that_a_symbolic_mode_does_not_name_stay():
    assert parse_mode("g=r").over(0o4777) == 0o4747


@pytest.mark.parametrize("below", ["file/x", "file/x/y", "loop/x", "n" * 300 + "/x"])
def test_whether_it_is_quick_is_known_whatever_stands_in_its_way(
    below: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    assert File(f"{tmp_path}/{below}", content="x").quick in (False, True)
