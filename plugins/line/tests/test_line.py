"""Lines and blocks: found, made, taken away, and brought back."""

import errno
import os
from pathlib import Path

import pytest

from setpoint import Need, ParamError, Refused, Thing
from setpoint.engine.events import Changed
from setpoint.testing import ResourceSuite
from setpoint_line import Line


class TestLine(ResourceSuite):
    @pytest.fixture
    def resource(self, host, tmp_path):
        path = tmp_path / "conf"
        path.write_text("one\n#port = 80\n")
        return Line("port", path=str(path), line="port = 1", match="^#?port", _host=host)

    async def disturb(self, resource):
        path = Path(resource.path)
        path.write_text(path.read_text().replace("port = 1", "port = 2"))


class TestBlock(ResourceSuite):
    @pytest.fixture
    def resource(self, host, tmp_path):
        params = {"block": "a\nb\n", "create": True, "mode": "0640"}
        return Line("both", path=str(tmp_path / "conf"), **params, _host=host)

    async def disturb(self, resource):
        os.unlink(resource.path)


class TestAbsence(ResourceSuite):
    @pytest.fixture
    def resource(self, host, tmp_path):
        path = tmp_path / "conf"
        path.write_text("one\ntwo\n")
        return Line("two", path=str(path), line="two", state="absent", _host=host)

    async def disturb(self, resource):
        with open(resource.path, "a") as file:
            file.write("two\ntwo\n")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "conf"


@pytest.fixture
def made(host, path):
    """Return a function that applies a line to a file of some bytes, and returns what that holds then."""

    def made(before, name="it", **params):
        path.write_bytes(before)
        line = Line(name, path=str(path), **params, _host=host)
        changes = line.check()
        line.apply(changes)
        assert line.check() == []
        made.changes = [str(change) for change in changes]
        return path.read_bytes()

    return made


@pytest.mark.parametrize(
    ("params", "after"),
    [
        ({}, b"a\nb\nab\nnew\n"),
        ({"insert_before": "start"}, b"new\na\nb\nab\n"),
        ({"insert_after": "start"}, b"new\na\nb\nab\n"),
        ({"insert_before": "end"}, b"a\nb\nab\nnew\n"),
        ({"insert_after": "end"}, b"a\nb\nab\nnew\n"),
        ({"insert_after": "a"}, b"a\nb\nab\nnew\n"),
        ({"insert_after": "^a$"}, b"a\nnew\nb\nab\n"),
        ({"insert_before": "b"}, b"a\nnew\nb\nab\n"),
        ({"insert_before": "nothing"}, b"a\nb\nab\nnew\n"),
        ({"insert_after": "nothing"}, b"a\nb\nab\nnew\n"),
    ],
)
def test_a_new_line_goes_where_it_is_said(made, params, after):
    assert made(b"a\nb\nab\n", line="new", **params) == after
    assert made.changes == ["line: None -> 'new'"]


def test_a_line_that_is_there_stays_where_it_is(made):
    assert made(b"new\na\n", line="new", insert_after="a") == b"new\na\n"
    assert made.changes == []


@pytest.mark.parametrize(
    ("which", "after"),
    [("first", b"k=3\nx\nk=2\n"), ("last", b"k=1\nx\nk=3\n"), ("all", b"k=3\nx\nk=3\n")],
)
def test_what_match_is_found_in_is_replaced(made, which, after):
    assert made(b"k=1\nx\nk=2\n", line="k=3", match="^k=", which=which) == after


def test_the_one_that_is_to_be_replaced_is_right_already(made):
    assert made(b"k=1\nk=3\n", line="k=3", match="^k=") == b"k=1\nk=3\n"
    assert made.changes == []


def test_with_all_match_need_not_fit_the_line(made):
    assert made(b"old\nx\nold\n", line="new", match="old", which="all") == b"new\nx\nnew\n"
    assert made.changes == ["line: 'old\\nold' -> 'new\\nnew'"]
    assert made(b"x\n", line="new", match="old", which="all") == b"x\nnew\n"


def test_absent_takes_all_that_is_equal_or_fits(made):
    assert made(b"a\nb\na\nab\n", line="a", state="absent") == b"b\nab\n"
    assert made(b"a\nb\na\nab\n", match="a", state="absent") == b"b\n"
    assert made.changes == ["line: 'a\\na\\nab' -> None"]


def test_a_block_is_made_changed_and_taken_away(made):
    text = made(b"one\n", block="a\nb\n")
    assert text == b"one\n# BEGIN setpoint it\na\nb\n# END setpoint it\n"
    text = made(text + b"two\n", block="c")
    assert made.changes == ["block: 'a\\nb' -> 'c'"]
    assert text == b"one\n# BEGIN setpoint it\nc\n# END setpoint it\ntwo\n"
    assert made(text, block="", state="absent") == b"one\ntwo\n"
    assert made.changes == ["block: 'c' -> None"]


def test_an_empty_block_keeps_its_place(made):
    text = made(b"one\n", block="", insert_before="start")
    assert text == b"# BEGIN setpoint it\n# END setpoint it\none\n"


def test_markers_are_comments_of_the_file(made):
    assert made(b"", block="a", comment="//") == b"// BEGIN setpoint it\na\n// END setpoint it\n"
    text = made(b"", block="a", comment="<!-- -->")
    assert text == b"<!-- BEGIN setpoint it -->\na\n<!-- END setpoint it -->\n"


def test_blocks_of_other_names_are_left_alone(made):
    text = made(made(b"", "a", block="1"), "a b", block="2")
    assert made(text, "a", block="", state="absent") == made(b"", "a b", block="2")


def test_what_is_in_a_block_is_not_seen_by_other_resources(made):
    text = made(b"x\n", "a", block="one\nk=1") + b"y\n"
    assert made(text, line="k=2", match="^k=") == text + b"k=2\n"
    assert made(text, line="one", insert_after="one") == text + b"one\n"
    assert made(text, match="one|setpoint", state="absent") == text
    assert made(text, line="one", insert_before="k") == text + b"one\n"


def test_copies_of_a_block_go(made):
    block = made(b"", block="a")
    assert made(block + b"x\n" + block, block="b") == made(b"", block="b") + b"x\n"


@pytest.mark.parametrize("wrong", [[0], [1], [0, 0, 1], [1, 0]])
def test_a_marker_without_its_other_one_is_left_to_people(made, host, path, wrong):
    markers = ["# BEGIN setpoint it", "# END setpoint it"]
    path.write_text("".join(f"{markers[which]}\ntext\n" for which in wrong))
    with pytest.raises(Refused, match=r"line [13] the marker"):
        Line("it", path=str(path), block="a", _host=host).check()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a\r\nb\r\n", b"a\r\nb\r\nnew\r\n"),
        (b"a\r\nb", b"a\r\nb\r\nnew\r\n"),
        (b"a\nb\r\n", b"a\nb\r\nnew\n"),
        (b"a", b"a\nnew\n"),
        (b"", b"new\n"),
        (b"\n", b"\nnew\n"),
        (b"\xff\xfe\x80 \xe4\n", b"\xff\xfe\x80 \xe4\nnew\n"),
        (b"a\x0bb\x0c\x1c\xc2\x85\xe2\x80\xa8c\rd\n", b"a\x0bb\x0c\x1c\xc2\x85\xe2\x80\xa8c\rd\nnew\n"),
        (b"new\r\nb", b"new\r\nb"),
        (b"\xef\xbb\xbfnew\n", b"\xef\xbb\xbfnew\n"),
    ],
)  # fmt: skip
def test_all_other_bytes_stay(made, before, after):
    assert made(before, line="new") == after


def test_a_last_line_without_an_end_keeps_that_when_it_is_replaced(made):
    assert made(b"a\nk=1", line="k=2", match="^k=") == b"a\nk=2"
    assert made(b"a\nk=1", line="new", insert_before="k") == b"a\nnew\nk=1"
    assert made(b"a\nk=1", line="k=1", state="absent") == b"a\n"


def test_a_byte_order_mark_stays_first(made):
    assert made(b"\xef\xbb\xbfa\n", line="new", insert_before="start") == b"\xef\xbb\xbfnew\na\n"


def test_what_is_no_text_is_refused(made):
    with pytest.raises(Refused, match="no text in UTF-8"):
        made("a\n".encode("utf-16"), line="new")


def test_a_missing_file_is_told_of_when_it_is_to_be_written(host, path):
    line = Line("it", path=str(path), line="new", _host=host)
    changes = line.check()
    assert [change.attribute for change in changes] == ["path", "line"]
    with pytest.raises(FileNotFoundError, match="create: true") as error:
        line.apply(changes)
    assert error.value.errno == errno.ENOENT
    assert Line("it", path=str(path), line="new", state="absent", _host=host).check() == []


def test_a_file_that_is_made_has_the_mode(host, path):
    line = Line("it", path=str(path), line="new", create=True, mode="600", _host=host)
    line.apply(line.check())
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == "new\n"


def test_a_symlink_is_followed_and_stays(host, path, tmp_path):
    (tmp_path / "target").write_text("a\n")
    path.symlink_to("target")
    line = Line("it", path=str(path), line="new", _host=host)
    line.apply(line.check())
    assert path.is_symlink()
    assert (tmp_path / "target").read_text() == "a\nnew\n"


@pytest.mark.parametrize(
    ("params", "rule"),
    [
        ({}, "line must be given, or block"),
        ({"state": "absent"}, "line must be given, or match or block"),
        ({"line": "a", "block": "b"}, "line does not go with block"),
        ({"match": "a", "block": "b"}, "match does not go with block"),
        ({"line": "a\nb"}, "line must be one line without its end.*write block"),
        ({"line": "a\r"}, "line must be one line"),
        ({"line": "a", "path": "etc"}, "path must be an absolute path"),
        ({"line": "a", "match": "("}, r"match must be a regular expression, not '\('"),
        ({"line": "a", "insert_after": "["}, "insert_after must be a regular expression"),
        (
            {"line": "a", "insert_after": "b", "insert_before": "c"},
            "insert_before does not go with insert_after",
        ),
        ({"line": "Port 1", "match": "^#Port"}, "match must fit the line itself too.*which: all"),
        ({"block": "# END setpoint it"}, "block must not have its own markers"),
        ({"block": "a", "comment": " "}, "comment must begin a comment"),
        ({"block": "a\0"}, "block must be text"),
        ({"line": "a", "create": True, "mode": "9"}, "mode must be from 0000 to 07777"),
        ({"line": "a", "mode": "0644"}, "mode is that of a file that is made"),
    ],
)
def test_params_that_do_not_go_together_are_refused(params, rule):
    with pytest.raises(ParamError, match=rule):
        Line("it", **{"path": "/etc/hosts", **params})


def test_a_name_of_two_lines_marks_no_block():
    with pytest.raises(ParamError, match="name must be one line"):
        Line("a\nb", path="/etc/hosts", block="a")


def test_it_waits_for_its_file_and_what_that_comes_from():
    line = Line("it", path="/etc/a/b", line="x")
    assert line.provides() == ()
    assert Line("it", path="/etc/a/b", line="x", create=True).provides() == (
        Thing("path", "/etc/a/b"),
    )
    assert line.needs() == (
        Need("path", "/etc/a/b", "the file it is in"),
        Need("directory", "/etc/a", "its parent directory", nearest=True),
        Need("owned", "/etc/a/b", "the package that owns its file", nearest=True),
    )


@pytest.mark.parametrize(
    ("text", "params"),
    [
        (b"a\n", {"line": "new"}),
        (b"a\nk=1\nb\n", {"line": "k=2", "match": "^k="}),
        (b"k=1\nk=1\n", {"line": "k=2", "match": "^k=", "which": "first"}),
        (b"k=1\nx\nk=1\n", {"line": "k=2", "match": "^k=", "which": "all"}),
        (b"old\n", {"line": "new", "match": "old", "which": "all"}),
        (b"a\nb\nc\n", {"line": "b", "state": "absent"}),
        (b"a.b\nb\n", {"match": "^a", "state": "absent"}),
        (b"a\n", {"block": "b\nc"}),
        (b"a\n# BEGIN setpoint it\nb\n# END setpoint it\nc\n", {"block": "d"}),
        (b"a\n# BEGIN setpoint it\nb\n# END setpoint it\nc\n", {"block": "", "state": "absent"}),
    ],
)
def test_what_is_put_back_is_what_was_there(made, host, path, text, params):
    path.write_bytes(text)
    back = Line("it", path=str(path), **params, _host=host).reversed()
    assert made(text, **params) != text
    assert back.check()
    back.apply(back.check())
    assert path.read_bytes() == text


@pytest.mark.parametrize(
    "params",
    [
        {"line": "a"},
        {"line": "x", "state": "absent"},
        {"block": "b"},
        {"block": "", "state": "absent", "comment": ";"},
    ],
)
def test_where_nothing_changes_nothing_is_put_back(host, path, params):
    path.write_text("a\n# BEGIN setpoint it\nb\n# END setpoint it\n")
    assert Line("it", path=str(path), **params, _host=host).reversed() is None


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("a\na\n", {"line": "a", "state": "absent"}),
        ("k=1\nk=3\n", {"line": "k=2", "match": "^k=", "which": "all"}),
        ("k=1\nk=2\n", {"line": "k=2", "match": "^k=", "which": "all"}),
    ],
)
def test_what_one_resource_cannot_put_back_is_refused(host, path, text, params):
    path.write_text(text)
    with pytest.raises(Refused, match="one resource brings back one"):
        Line("it", path=str(path), **params, _host=host).reversed()


async def test_a_hundred_lines_of_one_file_lose_none(engine, path):
    path.write_text("first\n")
    lines = [f"line {number}" for number in range(100)]
    result = await engine.converge(*(Line(line, path=str(path), line=line) for line in lines))
    assert result.ok
    first, *others = path.read_text().splitlines()
    assert first == "first"
    assert sorted(others) == sorted(lines)


async def test_a_changed_file_is_repaired_while_an_engine_runs(engine, path):
    path.write_text("a\n")
    async with engine.keeping(Line("it", path=str(path), line="new")) as kept:
        path.write_text("b\n")
        await kept.told(Changed)
        assert path.read_text() == "b\nnew\n"
