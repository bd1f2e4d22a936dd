"""The `http` resource: params and verbs."""

import os
from collections.abc import Iterable
from typing import Annotated

import msgspec

from setpoint import REWATCH, Change, Resource, Secret, Values, hookimpl
from setpoint.relations import Need, Thing
from setpoint.watching import Aimed, Every, Many, Subscription
from setpoint_http import rules
from setpoint_http.digests import Digest, parse
from setpoint_http.stopping import Pool

SMALL = 65_536  # bytes of a content that is sent


class Http(Resource):
    """A file that is downloaded, and downloaded again if it is changed by hand or on the server.

    A download that breaks off goes on where it was, also in another process, if the server can tell that it still has
    the same: by an ETag that is not weak, or by when it was modified. What has come lies in the state directory until
    all of it is right; only then the file is replaced, as a whole. An untouched file costs one look at its status.

    A file that is there already is left alone if it has the digest that is declared; without one it is fetched.

    name: the path, if it begins with a slash and path is empty; else any.
    url: where it is, http:, https: or file:. It holds no password; that belongs in auth.
    path: where to put it, absolute. Empty takes the name, or a file in the state directory that only the user of
        the engine can read, and others by what is sent.
    sha256: the SHA-256 that it must have, in hexadecimal. Empty: none.
    checksum: a digest that it must have, as ALGORITHM:HEX with md5, sha1, sha224, sha256, sha384 or sha512; or the URL
        of a file as sha256sum writes it, which is fetched each time. Empty: none.
    headers: more headers to ask with, name to value; the values are kept secret. Empty: none.
    auth: who asks: USER:PASSWORD, or "bearer TOKEN". Empty: nobody.
    ca: absolute path of certificates to trust, PEM, instead of those that this machine trusts. Empty: those.
    client_cert: absolute path of the certificate to show, PEM, with its key unless client_key is given. Empty: none.
    client_key: absolute path of its key, PEM. Empty: it is in client_cert.
    timeout: seconds that a server may keep silent; more than 0. For the whole there is meta.timeout.
    retry: how many tries in a row may fail or bring nothing new, beside the first one, before the run fails; from 0 to
        100. The pause before them grows from 0.2 to 30 seconds, or is what the server asks for, up to 5 minutes.
    proxy: URL of the proxy to ask, http: or https:; "direct" asks none. Empty: as http_proxy, https_proxy and no_proxy
        in the environment of the engine have it.
    max_size: bytes that it may have at most; 0 is no limit. 16 GiB by default, for a server that never ends.
    interval: seconds between questions whether the server has something else; also asked at the start. 0 never asks.
        A source with file: is watched instead.
    mode: its permission bits, octal from "0000" to "07777". Empty: left as they are; of a new file what the umask
        leaves.
    owner: its user, name or number. Empty: left as it is.
    group: its group, name or number. Empty: left as it is.

    Sends `path` (where it is), `content` (what is in it, if that is text of at most 64 KiB in UTF-8, else empty),
    `sha256` (of what is in it), `status` (of the last answer with content, 0 if there was none), `headers` (of that
    answer, names in lower case, without cookies), `etag` (of that answer) and `changed` (whether the last run put
    something else there).
    """

    kind = "http"

    url: Annotated[str, REWATCH]
    path: Annotated[str, REWATCH] = ""
    sha256: str = ""
    checksum: str = ""
    headers: dict[str, Secret[str]] = msgspec.field(default_factory=dict)
    auth: Secret[str] = Secret("")
    ca: str = ""
    client_cert: str = ""
    client_key: str = ""
    timeout: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    retry: Annotated[int, msgspec.Meta(ge=0, le=100)] = 5
    proxy: str = ""
    max_size: Annotated[int, msgspec.Meta(ge=0)] = 1 << 34
    interval: Annotated[float, msgspec.Meta(ge=0), REWATCH] = 0.0
    mode: str = ""
    owner: str = ""
    group: str = ""

    class Sends(Values):
        """What others may receive of a download."""

        path: str
        content: str
        sha256: str
        status: int
        headers: dict[str, str]
        etag: str
        changed: bool

    def __post_init__(self) -> None:
        rules.check(self)

    @property
    def target(self) -> str:
        """The path that is declared; empty if it is to be kept in the state directory."""
        return self.path or (self.name if self.name.startswith("/") else "")

    @property
    def at(self) -> str:
        """Where the file is."""
        return self.target or os.path.join(self.host.state_path(self), "content")

    @property
    def fixed_digest(self) -> Digest | None:
        """The digest that is declared; None if there is none, or it has to be fetched."""
        if self.sha256:
            return Digest("sha256", self.sha256.lower())
        if not self.checksum or self.is_checksum_elsewhere:
            return None
        return parse("checksum", self.checksum)

    @property
    def is_checksum_elsewhere(self) -> bool:
        """Whether the digest has to be fetched."""
        return "://" in self.checksum

    def provides(self) -> Iterable[Thing]:
        """Say that the file is there."""
        if self.target:
            yield Thing("path", self.target)

    def needs(self) -> Iterable[Need]:
        """Wait for the directory, for who owns the file, and for what it is asked with."""
        if self.target:
            yield Need("directory", os.path.dirname(self.target), "its directory", nearest=True)
        for path in filter(None, (self.ca, self.client_cert, self.client_key)):
            yield Need("path", path, "what it asks with")
        if self._source:
            yield Need("path", self._source, "what it copies")
        if self.owner:
            yield Need("user", self.owner, "its owner")
        if self.group:
            yield Need("group", self.group, "its group")

    @hookimpl
    def watch(self) -> Subscription:
        """Look again when the file changes, and, if that is wanted, when it is time to ask."""
        aims = self.memory["watched"] = [Aimed(self.host.files.changes) for _ in range(2)]
        self._aim()
        return Many(*aims, *([Every(self.interval)] if self.interval else []))

    async def check(self) -> list[Change]:
        """Look at the file; ask the server if it is time."""
        from setpoint_http import differences

        self.memory.update(just_fetched=False, changed=False)
        self._aim()
        changes = await self.host.in_thread(differences.look, self)
        content = next((change for change in changes if change.attribute == "content"), None)
        if not self._has_to_ask(content):
            return changes
        began = self.host.clock.monotonic()
        found = await self.host.shared(Pool).run(self.id, differences.ask, self)
        self.memory["asked"] = began
        return [*found, *(change for change in changes if change is not content)]

    async def apply(self, changes: list[Change]) -> None:
        """Fetch the file, or only set its attributes."""
        from setpoint_http.placing import adorn

        if any(change.attribute == "content" for change in changes):
            await self._fetch()
        else:
            await self.host.in_thread(adorn, self)

    @hookimpl
    async def refresh(self) -> None:
        """Fetch it again, whatever is known of it, unless `apply` has just done so."""
        if not self.memory.get("just_fetched"):
            await self._fetch()

    @hookimpl
    async def send(self) -> Sends | None:
        """Say what is there; None if nothing is."""
        return await self.host.in_thread(self._sent)

    @property
    def _source(self) -> str:
        """The path of what a file: URL names; empty if it is another one, or is not received yet."""
        if not isinstance(self.url, str) or not self.url.startswith("file:"):
            return ""
        from setpoint_http.local import path_of

        return path_of(self.url)

    def _aim(self) -> None:
        """Have the watch follow the file and its source, which may be received."""
        for aim, path in zip(self.memory.get("watched", ()), (self.at, self._source), strict=False):
            aim.aim(path)

    async def _fetch(self) -> None:
        from setpoint_http.placing import fetch

        began = self.host.clock.monotonic()
        self.memory["changed"] = await self.host.shared(Pool).run(self.id, fetch, self)
        self.memory.update(just_fetched=True, asked=began)

    def _has_to_ask(self, content: Change | None) -> bool:
        """Whether only the server can tell if the content, which differs by `content`, is right."""
        if self.fixed_digest:
            return False
        if content:  # it may be what a checksum wants all the same
            return self.is_checksum_elsewhere and content.before not in (None, "something else")
        if self._source and not self.checksum:
            return True
        every, asked = self.interval or self.meta.poll, self.memory.get("asked")
        # Watches and polls come a little early or late, but not by half.
        return every > 0 and (asked is None or self.host.clock.monotonic() - asked >= every / 2)

    def _sent(self) -> Sends | None:
        from setpoint_http.record import is_file, recall

        files, known = self.host.files, recall(self)
        found = files.status(self.at)
        if known is None or found is None or not is_file(found):
            return None
        content = files.read(self.at) if found.st_size <= SMALL else b""
        try:
            text = content.decode()
        except UnicodeDecodeError:
            text = ""
        headers = {name: value for name, value in known.headers.items() if name != "set-cookie"}
        return self.Sends(
            path=self.at,
            content=text,
            sha256=known.sha256,
            status=known.status,
            headers=headers,
            etag=known.headers.get("etag", ""),
            changed=self.memory.get("changed", False),
        )
