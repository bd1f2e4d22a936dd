"""Any lines in any file at the same time: they converge, once is enough, and all other lines stay in their order."""

import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from setpoint.host import Host
from setpoint_line import Line
from setpoint_line.making import markers

OTHERS = st.sampled_from([b"", b"other", b"# k=0", b"\xe4\xff", b"\tz\x0b", b"x" * 9000])
NAMES = (
    "abcd"  # keys that are declared; a line of a file is one of these with a value, or another one
)
ENDS = st.sampled_from([b"\n", b"\r\n"])


@st.composite
def contents(draw):
    keyed = st.builds(
        lambda key, value: f"{key}={value}".encode(), st.sampled_from(NAMES), st.integers(0, 2)
    )
    lines = draw(st.lists(st.tuples(st.one_of(OTHERS, keyed), ENDS), max_size=8))
    data = b"".join(line + end for line, end in lines)
    return data.rstrip(b"\r\n") if draw(st.booleans()) else data  # no end at the end


@st.composite
def declared(draw, key):
    """One resource that owns the lines that begin with `key`, or a block."""
    places = st.sampled_from(["", "start", "end", "^other", "nowhere"])
    where = {draw(st.sampled_from(["insert_after", "insert_before"])): draw(places)}
    match draw(st.sampled_from(["exact", "match", "absent", "block", "no block"])):
        case "exact":
            return {"line": f"{key}={draw(st.integers(0, 3))}", **where}
        case "match":
            which = draw(st.sampled_from(["first", "last", "all"]))
            return {"line": f"{key}=3", "match": f"^{key}=", "which": which, **where}
        case "absent":
            return {"match": f"^{key}=", "state": "absent"}
        case "block":
            lines = draw(st.lists(st.sampled_from(["other", "in a block", ""]), max_size=3))
            return {"block": "\n".join(lines), **where}
    return {"block": "", "state": "absent"}


graphs = st.fixed_dictionaries({}, optional={key: declared(key) for key in NAMES})


def rest(data, keys, lines):
    """The lines of `data` that none of `keys` and no block of `lines` owns, without their ends."""
    found = re.split(rb"\r?\n", data)
    found = found[:-1] if found[-1] == b"" else found
    for line in lines:
        if line.block is not None:
            begin, end = (marker.encode() for marker in markers(line))
            if begin in found:
                start, stop = found.index(begin), found.index(end)
                assert line.state == "exists"
                assert found[start + 1 : stop] == [one.encode() for one in wanted(line)]
                del found[start : stop + 1]
    return [line for line in found if line[:2] not in {f"{key}=".encode() for key in keys}]


def wanted(line):
    return line.block.removesuffix("\n").split("\n") if line.block else []


@settings(deadline=None, max_examples=150)
@given(contents(), graphs)
def test_any_lines_of_one_file_converge_at_once_and_leave_the_others(before, params):
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(4) as pool:
        host, path = Host(state=directory), Path(directory) / "conf"
        path.write_bytes(before)
        lines = [Line(key, path=str(path), **own, _host=host) for key, own in params.items()]
        list(pool.map(lambda line: line.apply(line.check()), lines))
        after = path.read_bytes()
        assert [line.check() for line in lines] == [[]] * len(lines)
        for line in lines:
            line.apply([])
        assert path.read_bytes() == after
        owners = [line.name for line in lines if line.block is None]
        assert rest(after, owners, lines) == rest(before, owners, ())
        host.close()


@settings(deadline=None, max_examples=150)
@given(contents(), declared("a"))
def test_what_is_put_back_holds_the_lines_of_before(before, params):
    with tempfile.TemporaryDirectory() as directory:
        host, path = Host(state=directory), Path(directory) / "conf"
        path.write_bytes(before)
        line = Line("a", path=str(path), **params, _host=host)
        if len(re.findall(rb"(?m)^a=", before)) > 1:
            return  # several lines may go, which is refused
        back = line.reversed()
        assert (back is None) == (line.check() == [])
        line.apply(line.check())
        if back is not None:
            back.apply(back.check())
        ended = before + (b"" if before.endswith(b"\n") or not before else b"\n")
        lines = [re.split(rb"\r?\n", data) for data in (path.read_bytes(), before, ended)]
        if len({*lines[1]}) < len(lines[1]):  # beside equal lines its place is not certain
            lines = list(map(sorted, lines))
        assert lines[0] in lines[1:]
        host.close()
