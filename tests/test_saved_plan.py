"""A plan that was saved is applied as it was shown, or not at all."""

import json
import stat

import pytest

GRAPH = """\
    resources:
      file HOME/out:
        content: hello
        notify: [noop told]
      file HOME/other:
        content: same
      noop told:
    """


class Saving:
    """A place, and the plan that was saved there."""

    def __init__(self, here):
        self.here, self.file = here, here.home / "site.plan"
        here.write(GRAPH)

    def plan(self, *options):
        return self.here.call("plan", "--out", str(self.file), *options)

    def apply(self, *options, prefix=None):
        command, *_ = self.here.argv("apply")
        where = ("--prefix", str(prefix or self.here.state))
        return self.here.spawn(command, "apply", str(self.file), *where, *options).end()

    def refused(self, *what):
        """Apply, which is refused and changes nothing."""
        ended = self.apply()
        assert ended.code == 1, ended.said
        assert not (self.here.home / "out").exists()
        for text in what:
            assert text in ended.err
        return ended


@pytest.fixture
def saving(here):
    return Saving(here)


def test_a_saved_plan_is_applied(saving):
    planned = saving.plan()
    assert planned.out.endswith("2 to add, 0 to change, 0 to drop, 1 unchanged\n")
    ended = saving.apply()
    assert ended.code == 0, ended.said
    assert (saving.here.home / "out").read_text() == "hello"
    assert "noop told: refreshed because of" in ended.out


def test_it_is_its_owners_alone_and_a_second_one_takes_its_place(saving):
    for _ in range(2):
        assert saving.plan().code == 0
        assert stat.S_IMODE(saving.file.stat().st_mode) == 0o600
    assert stat.S_IMODE((saving.here.state / "plan.key").stat().st_mode) == 0o600


def test_something_else_is_not_overwritten_by_a_plan(saving):
    before = saving.here.file.read_text()
    ended = saving.here.call("plan", "--out", str(saving.here.file))
    assert ended.code == 1
    assert "is there already and is no plan; write it to another file" in ended.err
    assert saving.here.file.read_text() == before


def test_a_place_that_cannot_be_written_is_told_without_a_traceback(saving, tmp_path):
    ended = saving.here.call("plan", "--out", str(tmp_path / "nowhere/site.plan"))
    assert ended.code == 1
    assert ended.err.startswith("error: the plan cannot be saved, ")
    assert ended.err.count("\n") == 1


def test_the_exit_code_is_that_of_any_plan(saving):
    assert saving.plan("--detailed-exitcode").code == 2
    assert saving.apply().code == 0
    assert saving.plan("--detailed-exitcode").code == 0


def test_what_is_said_as_json_is_what_is_saved(saving):
    said = json.loads(saving.plan("--json").out)
    saved = json.loads(saving.file.read_bytes())
    assert saved["setpoint plan"] == 1
    assert {part: said[part] for part in saved["plan"]} == saved["plan"]
    assert said["counts"] == {
        "add": 2, "change": 0, "drop": 0, "unchanged": 1, "noop": 0, "refresh": 1,
        "open": 0, "unchecked": 0, "blocked": 0, "waiting": 0,
    }  # fmt: skip


def test_a_plan_of_a_part_is_applied_to_that_part(saving):
    saving.plan("--only", f"file {saving.here.home}/other")
    assert saving.apply().code == 0
    assert [path.name for path in saving.here.home.glob("o*")] == ["other"]


# -- what has moved since


def test_a_machine_that_has_moved_is_named(saving):
    saving.plan()
    (saving.here.home / "other").write_text("other")
    ended = saving.refused("this plan of ", "does not hold any more; plan again")
    assert ended.err.splitlines()[1:] == [
        f"  file {saving.here.home}/other changes otherwise than in the plan"
    ]


def test_a_plan_is_not_applied_twice(saving):
    saving.plan()
    assert saving.apply().code == 0
    ended = saving.apply()
    assert ended.code == 1
    assert f"file {saving.here.home}/out changes in the plan, and not now" in ended.err


def test_a_graph_file_that_was_changed_is_named(saving):
    saving.plan()
    saving.here.write(GRAPH + "  # the same, and yet not what was planned\n")
    saving.refused(f"{saving.here.file} was changed")


def test_what_facts_have_others_declare_is_named(saving):
    saving.here.write("""\
        facts:
          wanted: { file: HOME/wanted }
        resources:
          file HOME/out:
            content: ${{ facts.wanted.content }}
        """)
    (saving.here.home / "wanted").write_text("one")
    saving.plan()
    (saving.here.home / "wanted").write_text("two")
    out = f"file {saving.here.home}/out"
    saving.refused(f"{out} is declared otherwise now; facts.wanted.content is two")
    (saving.here.home / "wanted").write_text("one")
    assert saving.apply().code == 0


def test_a_kind_of_another_version_is_named(saving):
    kind = """\
        from setpoint import Change, Resource

        class Thing(Resource):
            kind = "thing"

            def check(self):
                return []
        """
    saving.here.install("setpoint-thing", kind, kinds="thing = MODULE:Thing")
    saving.here.write(GRAPH + "  thing a:\n")
    saving.plan()
    info = saving.here.plugins / "setpoint_thing-1.0.dist-info"
    info.rename(info.with_name("setpoint_thing-2.0.dist-info"))
    saving.refused("the kind thing is from setpoint-thing 2.0 now, not setpoint-thing 1.0")


# -- whose it is


def test_a_plan_that_was_changed_is_refused(saving):
    saving.plan()
    saving.file.write_bytes(saving.file.read_bytes().replace(b"hello", b"hullo"))
    saving.refused("it was changed, or planned on another machine; plan again")


def test_a_plan_of_another_state_directory_is_refused(saving, tmp_path):
    saving.plan()
    ended = saving.apply(prefix=tmp_path / "elsewhere")
    assert ended.code == 1
    assert f"give --prefix {saving.here.state}" in ended.err
    (saving.here.state / "plan.key").unlink()
    saving.refused("plan.key is not there, so no plan is from here")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"setpoint plan":2}', "has the format 2, and this setpoint knows 1"),
        (b'{"setpoint plan":1', "this plan is damaged"),
        (b'{"setpoint plan":1}', "this plan is damaged"),
        (b'{"setpoint plan":[]}\n', "has the format []"),
    ],
)
def test_a_plan_that_is_none_of_ours_is_refused(saving, content, said):
    saving.file.write_bytes(content)
    saving.refused(said)


def test_a_graph_file_written_as_json_is_a_graph_file(here):
    here.write('{"resources": {"file HOME/out": {"content": "json"}}}')
    assert here.call("apply").code == 0
    assert (here.home / "out").read_text() == "json"


@pytest.mark.parametrize(
    ("options", "without"),
    [
        (["FILE"], "FILE"),
        (["--tmp-prefix"], "--tmp-prefix"),
        (["--only", "noop told", "--autoedges"], "--only, --[no-]autoedges"),
    ],
)
def test_a_plan_goes_with_nothing_that_it_says_itself(saving, options, without):
    saving.plan()
    file = str(saving.here.file)
    ended = saving.apply(*(file if option == "FILE" else option for option in options))
    assert ended.code == 2
    assert "is a plan, which says itself of which files, " in ended.err
    assert ended.err.endswith(f"; give it without {without.replace('FILE', file)}\n")
    assert saving.apply("--noop", "--json").code == 0


def test_a_plan_behind_a_graph_file_of_json_is_found(saving):
    saving.plan()
    saving.here.write('{"resources": {"noop a": {}}}')
    ended = saving.here.spawn(
        saving.here.argv("apply")[0], "apply", str(saving.here.file), str(saving.file)
    ).end()
    assert (ended.code, "is a plan, which says" in ended.err) == (2, True)


# -- secrets


def test_no_secret_is_in_a_plan_and_what_is_hidden_is_compared_all_the_same(saving):
    saving.here.write("""\
        resources:
          password db:
          file HOME/out:
            content: key=${{ send["password db"].password }}
        """)
    assert saving.here.call("apply").code == 0
    out = saving.here.home / "out"
    password = out.read_text().removeprefix("key=")
    out.write_text("one")
    planned = saving.plan()
    assert "content: (secret)" in planned.out
    assert password not in planned.said + saving.file.read_text()
    out.write_text("two")
    ended = saving.apply()
    assert (ended.code, out.read_text()) == (1, "two")
    assert f"file {out} changes otherwise than in the plan" in ended.err
    out.write_text("one")
    assert saving.apply().code == 0
    assert out.read_text() == f"key={password}"
