"""`setpoint apply`: converge a graph, then exit."""

import sys

import click
from click.core import ParameterSource

from setpoint.cli.only import ONLY
from setpoint.cli.options import AUTOEDGES, COLOR, FILES, JSON, PREFIX, TMP_PREFIX, state_directory
from setpoint.cli.session import EXIT_CODES, Settings, run
from setpoint.engine import Options

EPILOG = f"""\b
Examples:
  setpoint apply site.yaml
  setpoint apply site.yaml --noop          only look
  setpoint apply site.yaml --only 'svc nginx'
  setpoint apply site.yaml --tmp-prefix    leave no state behind
  setpoint apply site.plan                 exactly what `setpoint plan --out site.plan` has shown

\b
Signals:
  ^C, TERM  finish what runs, then exit; again: cancel it; again: kill it

{EXIT_CODES}"""

SAID_BY_PLAN = {"only": "--only", "automatic": "--[no-]autoedges", "tmp_prefix": "--tmp-prefix"}


@click.command(epilog=EPILOG)
@FILES
@click.option("--noop", is_flag=True, help="Only look, and say what would be changed.")
@ONLY
@AUTOEDGES
@PREFIX
@TMP_PREFIX
@JSON
@COLOR
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[str, ...],
    noop: bool,
    only: tuple[str, ...],
    automatic: bool,
    prefix: str | None,
    tmp_prefix: bool,
    as_json: bool,
) -> None:
    """Bring this machine into the state that FILEs declare, then exit.

    FILE may be a plan that was saved. It is applied only if the graph files, what they declare, the kinds and the
    machine are as they were; else it is said what is different, and nothing is changed.
    """
    saved = _plan(files)
    if saved:
        _refuse_beside(saved, files, ctx)
    options = Options(noop=noop, watch=False, converged_timeout=0)
    with state_directory(prefix, tmp_prefix) as state:
        settings = Settings(
            files,
            options,
            state,
            only=only,
            automatic=automatic,
            as_json=as_json,
            color=ctx.color,
        )
        if saved:
            from setpoint.cli.accepting import to_apply

            settings = to_apply(saved, settings)
        sys.exit(run(settings))


def _plan(files: tuple[str, ...]) -> str:
    """Return the first of `files` that is a plan; empty if none is."""
    found = list(filter(_may_be_plan, files))
    if found:  # most files are none
        from setpoint.plan.saved import is_plan

        found = list(filter(is_plan, found))
    return next(iter(found), "")


def _may_be_plan(path: str) -> bool:
    """Whether the file at `path` begins as JSON does, so that it is worth a closer look."""
    try:
        with open(path, "rb") as file:
            return file.read(1) == b"{"
    except OSError:  # which is told when it is read as what it is
        return False


def _refuse_beside(plan: str, files: tuple[str, ...], ctx: click.Context) -> None:
    """Do nothing if no more is given than the file `plan`, and what does not contradict it.

    Raises:
        UsageError: something else is.

    """
    others = list(files)
    others.remove(plan)
    given = [
        option
        for name, option in SAID_BY_PLAN.items()
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    if others or given:
        what = (
            "is a plan, which says itself of which files, what in them, which edges and which state"
        )
        raise click.UsageError(f"{plan} {what}; give it without {', '.join([*others, *given])}")
