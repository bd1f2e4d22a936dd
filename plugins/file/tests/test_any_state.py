"""Whatever is there and whatever is declared: one apply is enough, and a check changes nothing."""

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from setpoint import ParamError, Refused
from setpoint.host import Host
from setpoint_file import File

texts = st.sampled_from(["", "a", "b", "grüße\n", "x" * 70_000])
modes = st.sampled_from(["", "0644", "0600", "4755", "u=rw,g=r,o=", "g=w"])
priors = st.one_of(
    st.none(),
    st.tuples(st.just("file"), texts, st.sampled_from([0o600, 0o644, 0o7777])),
    st.tuples(st.just("directory"), st.lists(st.sampled_from(["a", "b"]), unique=True)),
    st.tuples(st.just("symlink"), st.sampled_from(["nowhere", "s", "."])),
    st.tuples(st.just("pipe")),
)
declared = st.fixed_dictionaries(
    {"slash": st.booleans()},
    optional={
        "state": st.sampled_from(["", "exists", "absent"]),
        "content": texts,
        "source": st.sampled_from(["s", "t/", "nowhere"]),
        "fragments": st.just(["s", "t/"]),
        "mode": modes,
        "recurse": st.booleans(),
        "force": st.booleans(),
        "purge": st.booleans(),
        "symlink": st.booleans(),
        "backup": st.sampled_from([True, "kept"]),
        "fsync": st.booleans(),
    },
)


def prepare(root, prior):
    """Make the sources, and what is there before."""
    os.makedirs(f"{root}/t/sub")
    for name in ("s", "t/one", "t/sub/two"):
        with open(f"{root}/{name}", "w") as file:
            file.write(name)
    sort, *how = prior or ("nothing",)
    if sort == "file":
        with open(f"{root}/f", "w") as file:
            file.write(how[0])
        os.chmod(f"{root}/f", how[1])
    elif sort == "directory":
        os.makedirs(f"{root}/f/sub")
        for name in how[0]:
            os.mkfifo(f"{root}/f/{name}")
    elif sort == "symlink":
        os.symlink(how[0], f"{root}/f")
    elif sort == "pipe":
        os.mkfifo(f"{root}/f")


def snapshot(root):
    """Return all that can be seen of a tree but the time of the last look."""
    return {
        path: (os.lstat(path).st_mode, os.lstat(path).st_ino, os.lstat(path).st_ctime_ns)
        for above, directories, files in os.walk(root)
        for path in (os.path.join(above, name) for name in [*directories, *files, "."])
    }


def declare(root, params, host):
    """Return the File, None if its params do not go together."""
    params = dict(params)
    slash = "/" if params.pop("slash") else ""
    for name in ("source", "backup"):
        if isinstance(params.get(name), str):
            params[name] = f"{root}/{params[name]}"
    if "fragments" in params:
        params["fragments"] = [f"{root}/{part}" for part in params["fragments"]]
    try:
        return File(f"{root}/f{slash}", _host=host, **params)
    except ParamError:
        return None


@settings(deadline=None)  # what takes long is the machine's disk
@given(priors, declared)
def test_one_apply_is_enough(prior, params):
    root = tempfile.mkdtemp()
    host = Host(state=Path(root))
    try:
        prepare(root, prior)
        file = declare(root, params, host)
        if file is not None:
            exercise(root, file)
    finally:
        host.close()
        shutil.rmtree(root)


def exercise(root, file):
    before = snapshot(root)
    try:
        changes = file.check()
    except (Refused, FileNotFoundError):
        assert snapshot(root) == before
        return
    assert snapshot(root) == before
    try:
        if changes:
            file.apply(changes)
    except Refused:
        return
    assert file.check() == []
    file.forget()
    assert file.check() == []
