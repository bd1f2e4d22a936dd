"""A saved plan that is to be applied: it is held against this machine before anything runs."""

import time

from setpoint.cli.installed import installed
from setpoint.cli.planned import why
from setpoint.cli.screen import harmless
from setpoint.cli.session import Settings
from setpoint.engine.redaction import Redaction
from setpoint.errors import SetpointError
from setpoint.graph import Graph
from setpoint.graphfile.live import Live
from setpoint.host import Host
from setpoint.plan import plan
from setpoint.plan.moved import moved
from setpoint.plan.reasons import reasons
from setpoint.plan.saved import Saved, made_of, read, refuse_forged

SHOWN = 20  # differences


def to_apply(path: str, settings: Settings) -> Settings:
    """Return the settings of a session that applies the plan in the file at `path`, and nothing else.

    Raises:
        OSError: it cannot be read.
        SetpointError: it is damaged, was changed, or is not from here.

    """
    saved = read(path)
    host = Host(state=settings.prefix)
    try:
        secret = refuse_forged(saved, path, host)  # before any graph file that it names is read
    finally:
        host.close()

    async def accept(live: Live, graph: Graph, host: Host) -> None:
        redaction = Redaction()
        made = made_of(graph, live.texts, installed(), secret)
        found = await plan(graph, plugins=installed(), host=host, redaction=redaction, key=secret)
        different = moved(
            saved, made, found, lambda id_: why(reasons(live.because(id_), redaction))
        )
        _refuse(path, saved, different)

    return settings._replace(**saved.asked._asdict(), accept=accept)


def _refuse(path: str, saved: Saved, different: list[str]) -> None:
    """Say what is `different`, if anything is."""
    if not different:
        return
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(saved.at))
    more = [f"and {len(different) - SHOWN:,} more"] if len(different) > SHOWN else []
    shown = "".join(f"\n  {harmless(one)}" for one in (*different[:SHOWN], *more))
    raise SetpointError(f"{path}: this plan of {when} does not hold any more; plan again{shown}")
