"""The graphs of a session: loaded, shown, asked about, taken over; again when files are saved, and as facts change."""

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint import graphfile
from setpoint.cli import question
from setpoint.cli.edited import foresee
from setpoint.cli.installed import installed
from setpoint.cli.keeping import Keeping
from setpoint.cli.only import debts
from setpoint.cli.saved import Saved, Stamp, stamps, stamps_of
from setpoint.comparing import compare
from setpoint.errors import GraphError, PluginError, SetpointError
from setpoint.following import tell_if_failed
from setpoint.graph import Graph
from setpoint.graphfile.live import Live
from setpoint.knowing import AT_ALL, AT_FIRST, Knowing
from setpoint.paths import absolute
from setpoint.selection import refuse_missing, select

if TYPE_CHECKING:
    from setpoint.cli.report import Report
    from setpoint.cli.session import Settings
    from setpoint.engine import Engine
    from setpoint.host import Host


class Loaded(NamedTuple):
    """Graph files as they were read.

    texts: path to text of all files, included ones too; absolute paths.
    stamps: how those were when reading began, as far as they were known then.
    """

    live: Live
    texts: Mapping[str, str]
    stamps: Mapping[str, Stamp]


class Taking:
    """The graph files of one session, and the graphs that they become.

    Args:
        settings: which files, and how.
        host: this machine.
        report: says what happens.

    Raises:
        GraphError: with all that is wrong in the files.

    """

    def __init__(self, settings: "Settings", host: "Host", report: "Report") -> None:
        self._settings, self._host, self._report = settings, host, report
        self._knowing = Knowing(host, report.warn, self._facts_changed, report.secrets)
        self._saved = Saved(host.watcher, report.warn)
        self._keeping = Keeping(host, settings.files, settings.follow, report.warn)
        self._news: asyncio.Task[str] | None = None
        self._kept: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None
        self._engine: Engine | None = None
        self._graph = Graph()
        self._debts: list[tuple[str, str]] = []
        self._loaded = self._load()

    async def first(self) -> Graph | None:
        """Return the graph to begin with; None if the person at the terminal does not want it.

        Raises:
            SetpointError: it is wrong with the facts as they are, `only` stands for nothing, or it is not accepted.

        """
        watch, only = self._settings.options.watch, self._settings.only
        self._debts = debts(self._host.root) if only else []
        patience = AT_FIRST if watch else AT_ALL
        while True:
            graph = await self._knowing.graph(self._loaded.live, patience)
            refuse_missing(graph, only)
            self._graph = self._part(graph)
            self._report.left_out(self._graph)
            if self._settings.accept is not None:
                await self._settings.accept(self._loaded.live, self._graph, self._host)
            if not self._settings.confirm:
                return self._graph
            self._follow_files()
            answer = await self._ask_first()
            if answer is not None:
                return self._graph if answer else None
            await self._load_until_right()

    def begin(self, engine: "Engine") -> None:
        """Take over what comes from now on; `engine` is about to run."""
        self._engine = engine
        self._kept = asyncio.create_task(self._keep_first())
        if self._settings.follow:
            self._following = asyncio.create_task(self._go_on())
            what = "graph files are not followed any more, the graph that runs goes on"
            self._following.add_done_callback(partial(tell_if_failed, what))

    async def end(self) -> None:
        """Take over nothing any more; return when it is kept with what the run has begun."""
        self._engine = None
        await _cancelled(self._following)
        if self._kept is not None:
            await self._kept
        await self.close()

    async def close(self) -> None:
        """Give back what is held; does so once."""
        tasks = (self._following, self._kept, self._news)
        for one in filter(None, tasks):
            one.cancel()  # all at once: if the engine did not begin, none is to while another one ends
        for task in tasks:
            await _cancelled(task)
        self._following = self._kept = self._news = None
        await self._knowing.close()

    def ask(self) -> None:
        """Load the files again, whether they were saved or not."""
        self._saved.ask()

    # -- files

    def _load(self, known: Iterable[str] = ()) -> Loaded:
        """Read the files, of which those that are `known` may be included ones; blocks."""
        settings = self._settings
        before = stamps([*map(absolute, settings.files), *known])
        live = graphfile.live(
            settings.files, installed(), automatic=settings.automatic, clock=self._host.clock
        )
        for warning in live.graph.warnings:
            self._report.warn(str(warning))
        new = {path: text for path, text in live.texts.items() if path not in before}
        return Loaded(live, live.texts, before | stamps_of(new))

    def _follow_files(self) -> None:
        self._saved.follow(self._loaded.texts, self._loaded.stamps)

    def _follow_too(self, error: Exception) -> None:
        """Watch the files too in which `error` is: what is wrong in one that is included will be set right there."""
        if isinstance(error, GraphError):
            self._saved.follow_too(error.files)

    async def _go_on(self) -> None:
        """Take over each graph that comes of files that are saved."""
        assert self._kept is not None
        await asyncio.shield(self._kept)
        self._follow_files()
        while True:
            await self._replace(await self._what_is_new())

    async def _keep_first(self) -> None:
        """Keep the first graph, and share what it shares: once the engine has begun, and all here is ours."""
        if not self._settings.options.noop:
            self._knowing.share()
        texts = {} if self._settings.options.noop else self._loaded.texts
        await self._keeping.took("start", self._graph, texts)

    async def _what_is_new(self) -> str:
        """Return, once files were saved, what to call that."""
        news = self._coming()
        self._news = None
        return await news

    def _coming(self) -> "asyncio.Task[str]":
        if self._news is None:
            self._news = asyncio.create_task(self._saved.next())
        return self._news

    async def _replace(self, by: str) -> None:
        """Load the files; what runs goes on as it is if something is wrong with them."""
        try:
            loaded = await asyncio.to_thread(self._load, self._loaded.texts)
            loaded.live.inherit(self._loaded.live)
            self._saved.follow({**self._loaded.texts, **loaded.texts}, loaded.stamps)
            if await self._is_wanted(by, loaded):
                await self._take_over(by, loaded)
        except (SetpointError, PluginError) as error:
            self._follow_too(error)  # first: who reads what is wrong may set it right at once
            self._report.error(f"the graph stays as it was, the new one is wrong:\n{error}")
            await self._keeping.refused(str(error))

    async def _is_wanted(self, by: str, loaded: Loaded) -> bool:
        """Show what would be different, and ask if that is to be."""
        graph = await self._knowing.tried(loaded.live, AT_FIRST)
        refuse_missing(graph, self._settings.only)
        moves = self._knowing.moves(loaded.live)
        edited = await foresee(by, self._graph, self._part(graph), self._host, moves)
        self._report.edited(edited)
        if not (self._settings.confirm and edited):
            return True
        await self._keeping.asks()
        answer = await self._ask("apply this?", self._loaded.texts, loaded.texts)
        if answer is False:
            self._report.tell("the graph stays as it was, until a file is saved again")
            await self._keeping.refused("the person at the terminal said no")
        return bool(answer)

    async def _take_over(self, by: str, loaded: Loaded) -> None:
        graph = self._part(await self._knowing.graph(loaded.live, AT_FIRST))
        found = compare(self._graph, graph)
        self._swap(graph, dict.fromkeys(found.ids, by))
        self._loaded = loaded
        self._follow_files()
        self._report.left_out(graph)
        texts = {} if self._settings.options.noop else loaded.texts
        await self._keeping.took(by, graph, texts, found.counts)

    # -- questions

    async def _ask_first(self) -> bool | None:
        from setpoint.plan import plan

        found = await plan(self._graph, plugins=installed(), host=self._host)
        self._report.planned(found)
        before = await self._host.in_thread(self._keeping.last, self._graph.scope)
        return await self._ask("apply this?", before, self._loaded.texts)

    async def _ask(
        self, text: str, before: Mapping[str, str], after: Mapping[str, str]
    ) -> bool | None:
        """Return the answer; None if files were saved before there was one."""
        from setpoint.cli.texts import difference

        def details() -> str:
            return "".join(difference(before, after, color=True)) or "no file is different\n"

        asked = asyncio.create_task(question.ask(self._report, text, details))
        news = self._coming()
        try:
            await asyncio.wait((asked, news), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not asked.done():
                await _cancelled(asked)
        return None if asked.cancelled() else asked.result()

    async def _load_until_right(self) -> None:
        """Load what was saved before anything ran, until it can be run."""
        while True:
            await self._what_is_new()
            try:
                self._loaded = await asyncio.to_thread(self._load, self._loaded.texts)
            except (SetpointError, PluginError) as error:
                self._follow_too(error)
                self._report.error(str(error))
            else:
                return

    # -- facts

    def _facts_changed(self, graph: Graph) -> None:
        """Run `graph`, which is another one because of facts."""
        if self._settings.accept is not None:  # only what was accepted is to run
            return
        graph = self._part(graph)
        if self._engine is None:  # it begins with this one
            self._graph = graph
            return
        from setpoint.plan.reasons import causes

        found = compare(self._graph, graph)
        because = causes(found, self._loaded.live.because, graph)
        if found.ids:  # else no more than what is not known
            self._report.followed(found, because)
        self._swap(graph, because)

    def _part(self, graph: Graph) -> Graph:
        """Return what of `graph` is to be run."""
        return select(graph, self._settings.only, self._debts)

    def _swap(self, graph: Graph, because: Mapping[str, str]) -> None:
        assert self._engine is not None
        self._engine.swap(graph, because=because)
        self._graph = graph


async def _cancelled(task: "asyncio.Task[Any] | None") -> None:
    """Return when `task` is no more; if it has failed, that was said."""
    if task is not None:
        task.cancel()
        await asyncio.wait([task])
