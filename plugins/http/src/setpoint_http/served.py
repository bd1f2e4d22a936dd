"""The `http:file` resource: params and verbs."""

import asyncio
import stat
from collections.abc import Callable, Iterable
from typing import Annotated

from setpoint import REWATCH, Change, ParamError, Refused, Resource, Values, hookimpl
from setpoint.errors import suggest
from setpoint.relations import Need
from setpoint.watching import Aimed, Many, Subscription
from setpoint_http.locations import location_of
from setpoint_http.table import Offer, Table, Text

SERVER = "http:server"


class HttpFile(Resource):
    """A file, a text, or a directory with all below it, that an `http:server` serves.

    Nothing outside of a directory is served, however it is asked for: symlinks in it are followed as long as they lead
    to something below it. Of a directory `index.html` is sent, and never a list. A text may be received from another
    resource, and who asks gets the one of that moment. What is taken out of the graph is served no more; with meta.poll
    nobody tells of that, and it is served until the engine ends.

    name: the location, if that is empty; else any.
    server: name of the `http:server`.
    location: the path in URLs, beginning with a slash, not encoded; a directory has a slash at its end, and a server
        may have several, of which the nearest counts. Empty takes the name.
    path: the file or directory to serve, absolute; it must be there, and is read when it is asked for. Empty: there is
        a content.
    content: the text to serve, as UTF-8. Left out: there is a path.
    content_type: as HTTP has it, "text/html; charset=utf-8". Empty is told by the end of the name; for content it is
        plain text.

    Sends `url`: where it is.
    Sends `requests`: how often it was sent, whole or in part, since it is served. Each is a reason to look again, but
    notifies nobody.
    """

    kind = "http:file"

    server: str
    location: str = ""
    path: Annotated[str, REWATCH] = ""
    content: str | None = None
    content_type: str = ""

    class Sends(Values):
        """What others may receive of what is served."""

        url: str
        requests: int

    def __post_init__(self) -> None:
        if isinstance(self.location, str) and location_of(_quoted(self.at)) != self.at:
            param = "location" if self.location else "name"
            rule = f"must be a path without empty parts, . and .., not {self.at!r}"
            raise ParamError(param, rule, 'write one like "/downloads/tool"')
        if isinstance(self.path, str):
            if self.path and not self.path.startswith("/"):
                raise ParamError("path", f"must be absolute, not {self.path!r}")
            if not self.path and self.content is None:
                raise ParamError("path", "or content must be given")
            if self.path and self.content is not None:
                raise ParamError("content", "must be left out with path", "take one of them away")
        if isinstance(self.content, str) and self.at.endswith("/"):
            raise ParamError("content", "must not be at a location that ends with a slash")

    @property
    def at(self) -> str:
        """The path in URLs."""
        return self.location or self.name

    def needs(self) -> Iterable[Need]:
        """Wait for the server, and for what it is to serve."""
        yield Need(SERVER, self.server, "the server that serves it")
        if self.path:
            yield Need("path", self.path.rstrip("/") or "/", "what it serves")
            yield Need("directory", self.path.rstrip("/") or "/", "what it serves", nearest=True)

    @hookimpl
    def watch(self) -> Subscription:
        """Look again when somebody has asked for it, and when it comes or goes; at the end serve it no more."""
        source = Aimed(self.host.files.changes)
        source.aim(self.path.rstrip("/") if self.path else "")
        return Many(Being(self), source)

    async def check(self) -> list[Change]:
        """Compare what is served with what is declared."""
        if self.path:
            await self.host.in_thread(self._look)
        served = self._served
        changes = [] if served else [Change("location", None, self.at)]
        before, after = served and served.text and served.text.digest, self._digest
        if before != after:
            changes.append(Change("content", before, after))
        for attribute, wanted in (("path", self.path), ("content_type", self.content_type)):
            found = getattr(served, attribute, "")
            if found != wanted:
                changes.append(Change(attribute, found or None, wanted or None))
        return changes

    async def apply(self, changes: list[Change]) -> None:
        """Serve it from now on, instead of what was served before."""
        table = self.host.shared(Table)
        self._refuse_others(table)
        offer = Offer(self.id, self.at, self.path, None, self.content_type)
        offer.text = Text.of(self.content) if self.content is not None else None
        offer.news = self.memory.get("watched")
        if before := self._served:
            offer.asked = before.asked
            if before.text and offer.text and before.text.digest == offer.text.digest:
                offer.text = before.text  # it is as old as it was
        table.offer(self.server, offer)

    @hookimpl
    async def send(self) -> Sends | None:
        """Say where it is, and how often it was asked for; None if it is not served."""
        served, server = self._served, self.host.shared(Table).servers.get(self.server)
        if served is None or server is None:
            return None
        return self.Sends(url=server.url + _quoted(self.at), requests=served.asked)

    def follow(self, news: Callable[[], None] | None) -> None:
        """Call `news` from now on when somebody has asked for it; None calls nobody."""
        self.memory["watched"] = news
        if found := self.host.shared(Table).of(self.id):
            found[1].news = news

    def withdraw(self) -> None:
        """Serve it no more, unless it is followed again."""
        if self.memory.get("watched") is None:
            self.host.shared(Table).withdraw(self.id)

    @property
    def _served(self) -> Offer | None:
        """What is served for this resource, where it is declared to be; None if that is not so."""
        server, offer = self.host.shared(Table).of(self.id) or ("", None)
        return offer if offer and (server, offer.location) == (self.server, self.at) else None

    @property
    def _digest(self) -> str | None:
        return None if self.content is None else Text.of(self.content).digest

    def _look(self) -> None:
        """See that there is something to serve.

        Raises:
            OSError: there is not.
            Refused: it is a directory, or is none, other than the location says.

        """
        found = self.host.files.status(self.path.rstrip("/") or "/", follow=True)
        if found is None:
            raise FileNotFoundError(f"there is no {self.path} to serve; make it first")
        is_directory = self.at.endswith("/")
        if stat.S_ISDIR(found.st_mode) != is_directory:
            what = "is no directory" if is_directory else "is a directory"
            cure = "without" if is_directory else "with"
            raise Refused(f"{self.path} {what}", f"write a location {cure} a slash at its end")

    def _refuse_others(self, table: Table) -> None:
        """Raise Refused if there is no such server, or its location is another's."""
        known = {*table.servers, *self.host.peers(self, SERVER)}
        if self.server not in known:
            raise Refused(
                f"there is no {SERVER} {self.server!r}", suggest(self.server, known) or "declare it"
            )
        there = table.at(self.server, self.at)
        if there and there.owner != self.id:
            cure = "take another location"
            raise Refused(f"{SERVER} {self.server} serves {there.owner} at {self.at}", cure)


class Being(Subscription):
    """That a resource is in the graph: at the end it is served no more. It tells of who asks for it."""

    def __init__(self, served: HttpFile) -> None:
        self._served = served

    def start(self, changed: Callable[[], None]) -> None:
        """Tell of who asks."""
        self._served.follow(changed)

    def stop(self) -> None:
        """Serve it no more."""
        self._served.follow(None)
        asyncio.get_running_loop().call_soon(self._served.withdraw)  # it may only begin anew


def _quoted(location: str) -> str:
    """Return a path as it stands in a URL."""
    from urllib.parse import quote

    return quote(location, safe="/!$&'()*+,;=:@-._~", errors="surrogateescape")
