"""The `ssh:authorized_key` resource: a key that lets somebody in as a user of this machine."""

import os
from collections.abc import Iterator
from typing import Literal

from setpoint import Change, ParamError, Refused, Resource, hookimpl
from setpoint.accounts import Accounts, News, Tables, check_name
from setpoint.editing import edit, read
from setpoint.errors import suggest
from setpoint.relations import Need, Thing
from setpoint.watching import Aimed, Many, Subscription
from setpoint_ssh import lines, places
from setpoint_ssh.keys import check_key, check_option, fingerprint, type_of
from setpoint_ssh.lines import Entry, Wanted
from setpoint_ssh.places import Place


class AuthorizedKey(Resource):
    """A key that lets somebody in as a user of this machine, as one line of ~/.ssh/authorized_keys.

    A line is known by its comment and by its key: a declaration with another key takes the place of the old one, and of
    several lines that are meant the first is left. All other lines stay as they are. A missing ~/.ssh is made; what
    sshd would ignore because others may write to it is closed to them.

    name: the comment of the line, unless key_comment is given; then any text.
    state: exists or absent.
    user: the login name of the user as whom it lets in, who must exist.
    key: the public key, in base64: the second word of a .pub file. It may be empty if the state is absent.
    type: its type, such as "ssh-ed25519"; empty takes the one that is written in the key.
    key_comment: the comment of the line; empty takes the name.
    options: options of sshd(8), each as it stands in the line: no-pty, from="192.0.2.*". Empty leaves those that are
        there.
    target: absolute path of the file; empty is .ssh/authorized_keys in the home directory. One elsewhere is
        root's, with the mode 0644 when it is made, and its directory must exist.
    """

    kind = "ssh:authorized_key"

    user: str
    state: Literal["exists", "absent"] = "exists"
    key: str = ""
    type: str = ""
    key_comment: str = ""
    options: tuple[str, ...] | None = None
    target: str = ""

    def __post_init__(self) -> None:
        check_name("user", self.user)
        if self.state == "exists" and self.key == "":
            raise ParamError("key", "must be given, found none", "write it, or state: absent")
        if isinstance(self.key, str) and self.key and isinstance(self.type, str):
            check_key(self.key, self.type)
        for option in self.options if isinstance(self.options, tuple) else ():
            check_option(option)
        comment = self.key_comment or self.name
        if isinstance(comment, str) and (comment != comment.strip(lines.BLANKS) or "\n" in comment):
            param = "key_comment" if self.key_comment else "name"
            raise ParamError(param, f"must be one line without blanks around it, not {comment!r}")
        if isinstance(self.target, str) and self.target and not os.path.isabs(self.target):
            raise ParamError("target", f"must be absolute, not {self.target!r}")

    def provides(self) -> Iterator[Thing]:
        """Tell of the file."""
        if isinstance(self.user, str):
            yield Thing("path", self._likely_path)

    def needs(self) -> Iterator[Need]:
        """Wait for the user and for the directory of the file."""
        if isinstance(self.user, str):
            yield Need("user", self.user, "the user it lets in")
            directory = os.path.dirname(self._likely_path)
            yield Need("directory", directory, "the directory of its file", nearest=True)

    @hookimpl
    def watch(self) -> Subscription:
        """Look again when the file, or the home directory of the user, becomes another one."""
        watch = self.memory["file watch"] = Aimed(self.host.files.changes)
        return Many(News(self.host.shared(Accounts), self._is_new), watch)

    async def check(self) -> list[Change]:
        """Compare the lines with the declaration."""
        place = await self._find()
        return await self.host.in_thread(self._compare, place)

    async def apply(self, changes: list[Change]) -> None:
        """Put the line into the file, or take it out.

        Raises:
            Refused: there is no such user, or it is not safe to touch what is there.
            OSError: the file cannot be written.

        """
        place = await self._find()
        if place is None:
            known = {
                *(await self.host.shared(Accounts).read()).users,
                *self.host.peers(self, "user"),
            }
            cure = suggest(self.user, known - {self.user}) or "declare it"
            raise Refused(f"there is no user {self.user!r}", cure)
        if os.geteuid() not in (0, place.uid):
            cure = f"run setpoint as root or as {self.user!r}"
            raise Refused(f"only root may change who gets in as {self.user!r}", cure)
        self._refuse_rivals()
        await self.host.in_thread(self._edit, place)

    @property
    def wanted(self) -> Wanted:
        """The line that is to be in the file."""
        type_ = self.type or type_of(self.key) or ""
        return Wanted(self.options, type_, self.key, self.key_comment or self.name)

    @property
    def _likely_path(self) -> str:
        """Where the file is to be, told without a look at the machine."""
        home = "/root" if self.user == "root" else f"/home/{self.user}"
        return self.target or f"{home}/{places.KEYS}"

    async def _find(self) -> Place | None:
        """Return where the keys are, and follow that file from now on."""
        tables = await self.host.shared(Accounts).read()
        self.memory["seen"] = tables.trace_of_user(self.user)
        place = await self.host.in_thread(places.find, self.user, self.target, tables)
        if watch := self.memory.get("file watch"):
            watch.aim(place.path if place else "")
        return place

    def _is_new(self, tables: Tables) -> bool:
        return tables.trace_of_user(self.user) != self.memory.get("seen")

    def _compare(self, place: Place | None) -> list[Change]:
        """Return the differences; without a user there are no lines."""
        if place is None:
            return _of_lines(self, [])
        try:
            data = read(self.host.files, place.path)
            found = lines.meant(data or b"", self.wanted)
            mending = places.faults(place, self.host.files) if self.state == "exists" else []
        except PermissionError:
            cure = f"run setpoint as root or as {self.user!r}"
            raise Refused(f"only root may see who gets in as {self.user!r}", cure) from None
        return [*_of_lines(self, found), *mending]

    def _edit(self, place: Place) -> None:
        files = self.host.files
        if self.state == "absent":
            edit(files, place.path, lambda data: lines.take_out(data, self.wanted))
            return
        places.mend(place, files)
        edit(
            files,
            place.path,
            lambda data: lines.put(data, self.wanted),
            mode=places.MODE if place.is_at_home else places.SHARED_MODE,
            owner=place.uid if place.is_at_home else -1,
            group=place.gid if place.is_at_home else -1,
        )

    def _refuse_rivals(self) -> None:
        """Refuse what another resource would undo, again and again."""
        for other in self.host.peers(self, self.kind).values():
            if other.name == self.name or not isinstance(other, AuthorizedKey):
                continue
            entry = self.wanted.instead_of(None)
            if other._likely_path == self._likely_path and other.wanted.is_meant(entry):
                raise Refused(f"{other.id} has the same key or comment", "keep one of them")


def _of_lines(resource: AuthorizedKey, found: list[Entry]) -> list[Change]:
    """Return how the lines that are meant differ from the one that is wanted."""
    if resource.state == "absent":
        return [Change("state", "exists", "absent")] if found else []
    if not found:
        return [Change("state", "absent", "exists")]
    first, changes = found[0], []
    aim = resource.wanted.instead_of(first)
    if first.key != aim.key:
        changes.append(Change("key", fingerprint(first.key), fingerprint(aim.key)))
    if first.comment != aim.comment:
        changes.append(Change("key_comment", first.comment, aim.comment))
    if first.options != aim.options:
        changes.append(Change("options", list(first.options), list(aim.options)))
    if len(found) > 1:
        changes.append(Change("lines", len(found), 1))
    return changes
