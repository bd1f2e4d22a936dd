"""`setpoint run`: converge a graph, then keep it."""

import sys
from typing import Any

import click

from setpoint.cli.only import ONLY
from setpoint.cli.options import (
    AUTOEDGES,
    COLOR,
    GRAPH_FILE,
    JSON,
    PREFIX,
    TMP_PREFIX,
    state_directory,
)
from setpoint.cli.session import EXIT_CODES, Settings, run
from setpoint.engine import Options

EPILOG = f"""\b
Examples:
  setpoint run site.yaml                          until ^C
  setpoint run site.yaml --converged-timeout 5    until it was quiet for 5 s
  setpoint run --file graph0.yaml --tmp-prefix    leave no state behind
  setpoint run site.yaml --confirm                ask before a saved file is taken over
  setpoint run site.yaml --only 'svc nginx'       that, what it requires, and what it notifies

\b
Signals:
  ^C, TERM  finish what runs, then exit; again: cancel it; again: kill it
  HUP       load the graph files again

{EXIT_CODES}"""


@click.command(epilog=EPILOG)
@click.argument("files", metavar="FILE...", nargs=-1, type=GRAPH_FILE)
@click.option(
    "--file", "more", multiple=True, metavar="FILE", type=GRAPH_FILE, help="One more FILE."
)
@click.option(
    "--converged-timeout",
    type=click.FloatRange(min=0),
    default=None,
    metavar="N",
    help="Exit when nothing has happened for N seconds; by default stay.",
)
@click.option(
    "--max-runtime",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="N",
    help="Exit after N seconds whatever happens, with exit code 1.",
)
@click.option("--noop", is_flag=True, help="Only look, and say what would be changed.")
@click.option(
    "--sema",
    type=click.IntRange(min=1),
    default=None,
    metavar="N",
    help="Run at most N resources at the same time.",
)
@click.option("--confirm", is_flag=True, help="Show what would change, and ask before it does.")
@click.option("--no-watch", is_flag=True, help="Do not load FILE again when it is saved.")
@ONLY
@AUTOEDGES
@PREFIX
@TMP_PREFIX
@JSON
@COLOR
@click.pass_context
def command(
    ctx: click.Context,
    /,
    files: tuple[str, ...],
    more: tuple[str, ...],
    tmp_prefix: bool,
    prefix: str | None,
    **given: Any,
) -> None:
    """Bring this machine into the state that FILEs declare, and keep it there.

    Drift is repaired when it happens. A FILE that is saved, or one that it includes, is loaded: what
    is different is shown, and takes the place of what runs. If it is wrong, that is said and
    nothing changes.
    """
    if not files + more:
        raise click.UsageError("say which graph to run: FILE")
    with state_directory(prefix, tmp_prefix) as state:
        sys.exit(_run(ctx, files + more, state, **given))


def _run(
    ctx: click.Context,
    files: tuple[str, ...],
    state: str | None,
    *,
    converged_timeout: float | None,
    max_runtime: float,
    noop: bool,
    sema: int | None,
    no_watch: bool,
    confirm: bool,
    only: tuple[str, ...],
    automatic: bool,
    as_json: bool,
) -> int:
    timeout = -1.0 if converged_timeout is None else converged_timeout
    options = Options(noop=noop, sema=sema or 0, converged_timeout=timeout)
    return run(
        Settings(
            files,
            options,
            state,
            follow=not no_watch,
            confirm=confirm,
            only=only,
            max_runtime=max_runtime,
            automatic=automatic,
            as_json=as_json,
            color=ctx.color,
        )
    )
