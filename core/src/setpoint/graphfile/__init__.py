"""Graph files: YAML in our own form or in mgmt's, read with the place of everything.

In the order of the work: `files` are read once, by `scalars` and `reader`, which make values with places of the text
(`syntax` words what is no YAML) · `form` has their `cells`, each evaluated on its own: `entries` of resources,
`sections` beside them, `includes` of other files with `inputs`, what is `shared` between hosts · `references` replaces
expressions · `mgmt` makes declarations of the other form · `live` has the kinds held against all that in
`setpoint.declarations`, and `causes` says why. `convert` writes declarations in our form, `formatting` (by `layout`)
the text as people like to read it. `schema` (by `jsontypes`) tells editors what a graph file may have.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from setpoint.declarations import Declarations, Map, Source, uncollected
from setpoint.errors import GraphError
from setpoint.graphfile.convert import written
from setpoint.graphfile.files import (
    MAX_BYTES,
    NO_TEXTS,
    File,
    Files,
    Name,
    declares_foreign,
    decoded,
    root_of,
    text_of,
)
from setpoint.graphfile.form import Form
from setpoint.graphfile.known import Known
from setpoint.graphfile.live import Live, declared

if TYPE_CHECKING:
    from setpoint.clock import Clock
    from setpoint.graph import Graph
    from setpoint.plugins import Plugins

__all__ = [
    "MAX_BYTES",
    "File",
    "Live",
    "convert",
    "declare",
    "decoded",
    "live",
    "load",
    "read",
    "text_of",
]


def load(paths: Sequence[Name], plugins: "Plugins", *, automatic: bool = True) -> "Graph":
    """Return the graph that the files at `paths` declare together.

    With `automatic` it has the edges too that follow from what its resources say of themselves. No fact is known: what
    depends on one is checked as far as that goes, and left out.

    Raises:
        GraphError: with all that is wrong in all files, in the order of the texts.

    """
    return live(paths, plugins, automatic=automatic).graph


def live(
    paths: Sequence[Name],
    plugins: "Plugins",
    *,
    automatic: bool = True,
    clock: "Clock | None" = None,
    host: str = "",
    texts: Mapping[str, str] = NO_TEXTS,
) -> Live:
    """Return the files at `paths`, to be evaluated with what is known; the rest is as for `load`.

    Files whose paths, absolute, are in `texts` are not read: they are taken to hold that. `host` is what this host is
    called, if not what it calls itself.
    """
    with uncollected():
        files, rest = _read(paths, texts)
        with _of(files):
            return Live(
                files.roots,
                rest,
                plugins,
                files=files.paths,
                automatic=automatic,
                clock=clock,
                host=host,
            )


def read(paths: Sequence[Name]) -> Declarations:
    """Return what the files at `paths` declare together, as far as it needs no kinds to know.

    Raises:
        GraphError: with all that is wrong in the shape of all files, in the order of the texts.

    """
    with uncollected():
        files, rest = _read(paths)
        declarations = _declared(files.roots, rest)
    declarations.refuse(declarations.problems)
    return declarations


def _read(paths: Sequence[Name], texts: Mapping[str, str] = NO_TEXTS) -> tuple[Files, Declarations]:
    """Return the files, and what those in other forms declare.

    Raises:
        GraphError: one of the files is no YAML, so that what it declares is not known.

    """
    rest = Declarations()
    files = Files(rest, texts)
    files.read(paths)
    if files.unreadable:  # all that is wrong is said at once, in the others too
        with _of(files):
            rest.refuse(_declared(files.roots, rest).problems + files.unreadable)
    return files, rest


@contextmanager
def _of(files: Files) -> Iterator[None]:
    """Let errors, inside a `with`, tell which files were read."""
    try:
        yield
    except GraphError as error:
        error.files = tuple(files.paths)
        raise


def _declared(roots: Sequence[File], rest: Declarations) -> Declarations:
    """Return what is declared, with what is wrong; no fact is known."""
    forms = [Form(root, Known()) for root in roots]
    for form in forms:
        list(form.evaluate(set()))
    return declared(forms, rest)


def convert(text: str, file: str) -> str:
    """Return the graph `text`, of either form, in our form; comments are lost.

    Raises:
        GraphError: with all that is wrong in its shape.

    """
    declarations = Declarations()
    declare(Source(file, text), declarations)
    declarations.refuse(declarations.problems)
    return written(declarations)


def declare(source: Source, declarations: Declarations) -> Map | None:
    """Put what `source` declares into `declarations`, in whichever form it is; return what is in it.

    No fact is known; None: it is in mgmt's form, or in none.

    Raises:
        GraphError: it is no YAML that a graph file may hold.

    """
    root = root_of(source, declarations)
    if root is None or declares_foreign(source, root, declarations):
        return None
    found = _declared([File(source, root)], Declarations())
    declarations.name = declarations.name or found.name
    declarations.add(found)
    return root
