"""Graph files: YAML in our own form or in mgmt's, read with the place of everything.

In the order of the work: `scalars` and `reader` make values with places of the text (`syntax` words what is no YAML) ·
`references` replaces expressions · `form`, `edges` and `mgmt` make declarations of the two forms · the kinds are held
against them in `setpoint.declarations`. `convert` writes declarations in our form, `formatting` (by `layout`) the text
as people like to read it. `schema` (by `jsontypes`) tells editors what a graph file may have.
"""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from setpoint.declarations import Declarations, Map, Seq, Source, uncollected
from setpoint.declarations.types import show
from setpoint.errors import GraphError, Place, Problem
from setpoint.graphfile import reader
from setpoint.graphfile.convert import written
from setpoint.graphfile.form import Form
from setpoint.graphfile.known import Known
from setpoint.graphfile.live import Live
from setpoint.paths import absolute

if TYPE_CHECKING:
    from setpoint.clock import Clock
    from setpoint.graph import Graph
    from setpoint.plugins import Plugins

File = str | os.PathLike[str]
MAX_BYTES = 32 << 20


def load(paths: Sequence[File], plugins: "Plugins", *, automatic: bool = True) -> "Graph":
    """Return the graph that the files at `paths` declare together.

    With `automatic` it has the edges too that follow from what its resources say of themselves. No fact is known: what
    depends on one is checked as far as that goes, and left out.

    Raises:
        GraphError: with all that is wrong in all files, in the order of the texts.

    """
    return live(paths, plugins, automatic=automatic).graph


def live(
    paths: Sequence[File],
    plugins: "Plugins",
    *,
    automatic: bool = True,
    clock: "Clock | None" = None,
    texts: Mapping[str, str] = {},
) -> Live:
    """Return the files at `paths`, to be evaluated with what is known; the rest is as for `load`.

    Files whose paths, absolute, are in `texts` are not read: they are taken to hold that.
    """
    with uncollected():
        files, rest = _read(paths, texts)
        return Live(files, rest, plugins, automatic=automatic, clock=clock)


def read(paths: Sequence[File]) -> Declarations:
    """Return what the files at `paths` declare together, as far as it needs no kinds to know.

    Raises:
        GraphError: with all that is wrong in the shape of all files, in the order of the texts.

    """
    with uncollected():
        declarations = _declarations(paths)
    declarations.refuse(declarations.problems)
    return declarations


def convert(text: str, file: str) -> str:
    """Return the graph `text`, of either form, in our form; comments are lost.

    Raises:
        GraphError: with all that is wrong in its shape.

    """
    declarations = Declarations()
    declare(Source(file, text), declarations)
    declarations.refuse(declarations.problems)
    return written(declarations)


def _declarations(paths: Sequence[File]) -> Declarations:
    """Return what is declared, with what is wrong; no fact is known."""
    files, declarations = _read(paths)
    for source, root in files:
        Form(source, root, declarations, Known()).declare()
    return declarations


def _read(
    paths: Sequence[File], texts: Mapping[str, str] = {}
) -> tuple[list[tuple[Source, Map]], Declarations]:
    """Return files in our form with what is in them, and what those in other forms declare.

    Raises:
        GraphError: one of the files is no YAML, so that what it declares is not known.

    """
    declarations, files = Declarations(), []
    unreadable: list[Problem] = []
    for path in paths:
        source = Source(str(path))
        try:
            known = texts.get(absolute(path))
            source.text = text_of(path) if known is None else known
            root = _root(source, declarations)
        except GraphError as error:
            unreadable += error.problems
            continue
        if root is not None:
            files.append((source, root))
    if unreadable:  # all that is wrong is said at once, in the others too
        for source, root in files:
            Form(source, root, declarations, Known()).declare()
        declarations.refuse(declarations.problems + unreadable)
    return files, declarations


def text_of(path: File) -> str:
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


def decoded(content: bytes, path: File) -> str:
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


def _refused(path: File, what: str, line: int = 0, column: int = 0) -> GraphError:
    return GraphError([Problem(Place(str(path), line, column), what)])


def declare(source: Source, declarations: Declarations) -> Map | None:
    """Put what `source` declares into `declarations`, in whichever form it is; return what is in it.

    No fact is known; None: it is in mgmt's form, or in none.

    Raises:
        GraphError: it is no YAML that a graph file may hold.

    """
    root = _root(source, declarations)
    if root is not None:
        Form(source, root, declarations, Known()).declare()
    return root


def _root(source: Source, declarations: Declarations) -> Map | None:
    """Return what is in `source`, if it is in our form; what is in another one is declared."""
    declarations.sources.append(source)
    root = reader.load(source)
    if not isinstance(root, Map):
        what = "is empty" if root is None else f"a graph file is a map, not {show(root)}"
        declarations.problems.append(source.problem(0, f"{what}; begin with 'resources:'"))
    elif _is_mgmt(root):
        from setpoint.graphfile.mgmt import MgmtForm

        MgmtForm(source, root, declarations).declare()
    else:
        return root
    return None


def _is_mgmt(root: Map) -> bool:
    """Whether a file with `root` is in mgmt's form."""
    resources, edges = root.get("resources"), root.get("edges")
    if isinstance(resources, Map) and resources:
        return any(isinstance(value, Seq) and " " not in key for key, value in resources.items())
    return "remote" in root or (isinstance(edges, Seq) and any(isinstance(e, Map) for e in edges))
