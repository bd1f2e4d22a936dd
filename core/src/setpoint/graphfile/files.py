"""The files of a graph, read once each: those that a person names, and those that they include.

A file that a person names may include any file. One that is included may include only what lies below its own
directory, or below that of the file that the person named: a module from elsewhere reaches nothing else.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from setpoint.declarations import Declarations, Map, Seq, Source, value_at
from setpoint.declarations.types import show
from setpoint.errors import GraphError, Place, Problem
from setpoint.graphfile import reader
from setpoint.paths import absolute

Name = str | os.PathLike[str]
MAX_BYTES = 32 << 20
PLAN = "setpoint plan"  # the first key of what `setpoint plan --out` has saved
NO_TEXTS: Mapping[str, str] = {}
_NEEDS_SCOPE = frozenset({"inputs", "vars", "facts", "secrets", "include", "publish", "collect"})


class File:
    """One file in our form.

    Args:
        source: its text.
        root: what is in it.

    included: the files that it includes, by the place at which each is named.
    foreign: the places at which files in mgmt's form are.

    """

    def __init__(self, source: Source, root: Map) -> None:
        self.source, self.root = source, root
        self.included: dict[int, File] = {}
        self.foreign: set[int] = set()

    @property
    def needs_scope(self) -> bool:
        """Whether there is more in it than resources, edges and defaults."""
        return not _NEEDS_SCOPE.isdisjoint(self.root)

    def uses(self) -> Iterator[tuple[Any, int]]:
        """Yield what it includes: what is written for the name of each file, and where."""
        entries = self.root.get("include")
        for entry, at in entries.entries() if isinstance(entries, Seq) else ():
            if not isinstance(entry, Map):
                yield entry, at
            elif "use" in entry:
                yield entry["use"], value_at(entry, "use", at)


class Files:
    """Reads files, each once.

    Args:
        declarations: takes the sources, what is wrong, and what is declared in mgmt's form.
        texts: absolute path to text, of files that are not read: they are taken to hold that.

    roots: those in our form that a person has named.
    paths: the absolute paths of all that were read, or should have been.
    unreadable: what is wrong with those that are no YAML, so that what they declare is not known.

    """

    def __init__(self, declarations: Declarations, texts: Mapping[str, str] = NO_TEXTS) -> None:
        self._declarations, self._texts = declarations, texts
        self.roots: list[File] = []
        self.paths: list[str] = []
        self.unreadable: list[Problem] = []
        self._read: dict[str, File | None] = {}
        self._foreign: set[str] = set()  # paths
        self._done: set[tuple[str, str]] = (
            set()
        )  # directory of the file that a person named, and path

    def read(self, names: Sequence[Name]) -> None:
        """Read the files that a person has named, and all that they include."""
        for name in names:
            source = Source(str(name))
            if (file := self._file(source)) is not None:
                self.roots.append(file)
                path = os.path.realpath(name)
                self._include(file, path, (path,), ("/",))

    def _include(
        self, file: File, path: str, chain: tuple[str, ...], allowed: tuple[str, ...]
    ) -> None:
        """Read what `file` includes, which lies at `path` and was included by those in `chain`.

        `allowed` are the directories below which that may lie.
        """
        own, top = os.path.dirname(path), os.path.dirname(chain[0])
        for written, at in file.uses():
            if not isinstance(written, str) or not written or "${{" in written:
                what = f"a file is included by its name, not {show(written)}"
                self._wrong(file, at, f"{what}; write it as text, without expressions")
                continue
            found = os.path.realpath(os.path.join(own, written))
            rule = _refusal(found, chain, allowed)
            if rule:
                self._wrong(file, at, f"{written} cannot be included, {rule}")
            elif (one := self._included(file, written, found, at)) is not None:
                file.included[at] = one
                if (top, found) not in self._done:
                    self._include(one, found, (*chain, found), (os.path.dirname(found), top))
                    self._done.add((top, found))
            elif found in self._foreign:
                file.foreign.add(at)

    def _included(self, file: File, written: str, path: str, at: int) -> File | None:
        """Return the file at `path` that `file` includes as `written`; None if it cannot be read."""
        if path not in self._read:
            name = os.path.normpath(os.path.join(os.path.dirname(file.source.file), written))
            if not os.path.isfile(path) and absolute(name) not in self._texts:
                self.paths.append(path)
                self._wrong(file, at, _no_file(path, written, name))
                return None
            self._read[path] = self._file(Source(name))
        return self._read[path]

    def _wrong(self, file: File, at: int, message: str) -> None:
        self._declarations.problems.append(file.source.problem(at, message))

    def _file(self, source: Source) -> File | None:
        """Return the file of `source`; None if it is in mgmt's form, which is declared, or wrong."""
        path = os.path.realpath(source.file)
        self.paths.append(path)
        try:
            known = self._texts.get(absolute(source.file))
            source.text = text_of(source.file) if known is None else known
            root = root_of(source, self._declarations)
        except GraphError as error:
            self.unreadable += error.problems
            return None
        if root is not None and declares_foreign(source, root, self._declarations):
            self._foreign.add(path)
            return None
        return None if root is None else File(source, root)


def hosts_of(value: Any) -> list[str] | None:
    """Return the names of hosts, globs and "@GROUP"s that `value` is, alone or in a list; None if it is no such."""
    names = value if isinstance(value, list) else [value]
    return list(names) if all(isinstance(name, str) for name in names) else None


def no_host_in(value: Any) -> Any:
    """Return what in `value`, for which `hosts_of` has none, is no name: it, or an item of it."""
    wrong = (name for name in value if not isinstance(name, str)) if isinstance(value, list) else ()
    return next(iter(wrong), value)


def groups_of(roots: Sequence[File], problems: list[Problem]) -> dict[str, Sequence[str]]:
    """Return the groups of hosts that `roots`, and what they include, declare; adds what is wrong to `problems`."""
    groups: dict[str, Sequence[str]] = {}
    files = list(roots)
    for file in files:  # grows while it is walked
        found = file.root.get("groups")
        for name, value, name_at, at in found.entries() if isinstance(found, Map) else ():
            names = hosts_of(value)
            if names is None:
                groups.setdefault(name, [])
                what = f"the group {name} must be names of hosts, globs or @GROUPs"
                problems.append(file.source.problem(at, f"{what}, not {show(no_host_in(value))}"))
            elif groups.setdefault(name, names) != names:
                what = f"the group {name} is declared already, and differently; take one out"
                problems.append(file.source.problem(name_at, what))
        files += [one for one in file.included.values() if one not in files]
    return groups


def _no_file(path: str, written: str, name: str) -> str:
    """Return that there is no file at `path`, which is included as `written` and called `name`."""
    if "://" in written:
        return f"{written} is on another machine; fetch it first, and include the file"
    if os.path.exists(path):
        return f"{name} is no file; name a file in it"
    return f"there is no file {name}; names are relative to this file"


def _refusal(path: str, chain: tuple[str, ...], allowed: tuple[str, ...]) -> str:
    """Return why the file at `path` may not be included; empty if it may."""
    if path in chain:
        circle = [os.path.basename(one) for one in (*chain[chain.index(path) :], path)]
        return f"it includes itself: {' -> '.join(circle)}; take one of these out"
    if len(chain) > reader.MAX_DEPTH:
        return f"includes are nested more than {reader.MAX_DEPTH} deep; make it flatter"
    if not any(os.path.commonpath((path, one)) == one for one in allowed):
        return "what is included reaches only below its own directory, and that of the first file"
    return ""


def text_of(path: Name) -> str:
    """Return what is in the file at `path`.

    Raises:
        GraphError: it cannot be read, is too long, or not UTF-8.

    """
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _refused(path, f"cannot be read, {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise _refused(path, f"is longer than {MAX_BYTES >> 20} MiB; make several files of it")
    return decoded(content, path)


def decoded(content: bytes, path: Name) -> str:
    """Return the text that `content`, of the file at `path`, is in UTF-8.

    Raises:
        GraphError: it is none.

    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode(errors="replace").split("\n")
        what = f"is not UTF-8, it holds the byte {content[error.start]:#04x}; save it as UTF-8"
        raise _refused(path, what, len(before), len(before[-1]) + 1) from None


def _refused(path: Name, what: str, line: int = 0, column: int = 0) -> GraphError:
    return GraphError([Problem(Place(str(path), line, column), what)])


def root_of(source: Source, declarations: Declarations) -> Map | None:
    """Return what is in `source`, of either form; None if that is no graph, which is reported.

    Raises:
        GraphError: it is no YAML that a graph file may hold.

    """
    declarations.sources.append(source)
    root = reader.load(source)
    if not isinstance(root, Map):
        what = "is empty" if root is None else f"a graph file is a map, not {show(root)}"
        declarations.problems.append(source.problem(0, f"{what}; begin with 'resources:'"))
        return None
    if PLAN in root:
        what = "is a plan that was saved, and no graph file; give it to `setpoint apply` alone"
        declarations.problems.append(source.problem(0, what))
        return None
    return root


def declares_foreign(source: Source, root: Map, declarations: Declarations) -> bool:
    """Declare what is in `root`, of `source`, if it is in mgmt's form; return whether it is."""
    if not _is_mgmt(root):
        return False
    from setpoint.graphfile.mgmt import MgmtForm

    MgmtForm(source, root, declarations).declare()
    return True


def _is_mgmt(root: Map) -> bool:
    """Whether a file with `root` is in mgmt's form."""
    resources, edges = root.get("resources"), root.get("edges")
    if isinstance(resources, Map) and resources:
        return any(isinstance(value, Seq) and " " not in key for key, value in resources.items())
    return "remote" in root or (isinstance(edges, Seq) and any(isinstance(e, Map) for e in edges))
