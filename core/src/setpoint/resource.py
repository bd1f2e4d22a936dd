"""What authors of plugins subclass: `Resource`, with a wanted state, and `Fact`, without one."""

import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, dataclass_transform

import msgspec

from setpoint.hookspecs import hookimpl
from setpoint.relations import Need, Thing
from setpoint.values import Change, Values
from setpoint.watching import Still, Subscription

if TYPE_CHECKING:
    from setpoint.host import Host

# In the annotation of a param: when it changes while the graph runs, the watch is begun anew.
REWATCH = msgspec.Meta(extra={"rewatch": True})

Seconds = Annotated[float, msgspec.Meta(ge=0)]


class Meta(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the engine treats a resource, whatever its kind.

    noop: only look, never change; sends no notification.
    retry: how often a failed run is tried again, -1 for ever.
    retry_reset: start counting anew after each success.
    delay: seconds between tries, and before a failed watch is begun anew.
    timeout: seconds that one check and apply may take; 0 is no limit.
    poll: check every so many seconds instead of watching; 0 watches.
    limit: runs a second at most, over time, also if it goes and comes back; 0 is no limit. Goes with burst.
    burst: runs at once before the limit counts, 1 or more.
    sema: names of semaphores to hold while running: "name" lets one run at a time, "name:4" four.
    rewatch: begin the watch anew when the declaration changed.
    autoedge: take part in automatic edges.
    autogroup: where a kind does the work of several resources in one go, take part in that.
    reverse: put back what was there before, when it is declared no more.
    realize: apply it at least once before it leaves, even if it is declared no more by then.
    export: names of hosts, as globs or "@GROUP", that may collect it; "*" is all.
    hidden: have it on this host not at all, only export it.
    """

    noop: bool = False
    retry: Annotated[int, msgspec.Meta(ge=-1)] = 0
    retry_reset: bool = False
    delay: Seconds = 0.0
    timeout: Seconds = 0.0
    poll: Seconds = 0.0
    limit: Seconds = 0.0
    burst: Annotated[int, msgspec.Meta(ge=0)] = 0
    sema: tuple[Annotated[str, msgspec.Meta(pattern=r"^[^:\s]+(:[1-9]\d*)?$")], ...] = ()
    rewatch: bool = False
    autoedge: bool = True
    autogroup: bool = True
    reverse: bool = False
    realize: bool = True
    export: tuple[str, ...] = ()
    hidden: bool = False


DEFAULT = Meta()
RESERVED = frozenset({"name", "meta", "_host"})  # fields of every resource that are not params


class _Declarative(msgspec.StructMeta):
    """Makes each subclass a struct whose params are keyword-only and whose instances can remember."""

    def __new__(
        mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any
    ) -> type:
        defaults = {
            "kw_only": True,
            "dict": True,
            "forbid_unknown_fields": True,
            "repr_omit_defaults": True,
        }
        return super().__new__(mcs, name, bases, namespace, **{**defaults, **options})


@dataclass_transform(kw_only_default=True)
class Resource(msgspec.Struct, metaclass=_Declarative, kw_only=False):
    """Something on this machine with a state that is wanted.

    A subclass lists its params as typed fields with defaults, names its `kind`, and implements `check` and `apply`;
    the other verbs if it has use for them. Plain methods run in worker threads, `async` ones on the loop.

    name: tells it from others of its kind; the kind says what it means (a path, a unit).
    meta: how the engine treats it, see `Meta`.
    """

    kind: ClassVar[str]
    quick: ClassVar[bool] = False  # True promises that check and apply block for microseconds only
    rechecks: ClassVar[bool] = False  # True: each change has what requires it checked again
    Sends: ClassVar[type[Values] | None] = None

    name: str
    meta: Meta = DEFAULT
    _host: Any = None

    @property
    def id(self) -> str:
        """Kind and name: how it is written in a graph file, a log and on the command line."""
        return f"{self.kind} {self.name}"

    @property
    def host(self) -> "Host":
        """All that a kind needs from outside: files, watchers, processes, state, clock."""
        if self._host is None:
            from setpoint.host import Host

            self._host = Host()
        return self._host  # type: ignore[no-any-return]

    @property
    def memory(self) -> dict[str, Any]:
        """What this instance remembers between calls; neither compared nor shown nor kept on disk.

        It is forgotten when a param has changed; what is under "watched", for a watch that goes on, is not.
        """
        return self.__dict__

    @property
    def changed(self) -> frozenset[str]:
        """The params that received another value since the last run that succeeded."""
        changed: frozenset[str] = self.__dict__.get("changed", frozenset())
        return changed

    @property
    def notified(self) -> bool:
        """Whether a notification waits for it: `refresh` follows this check and apply."""
        return bool(self.__dict__.get("notified", False))

    def __str__(self) -> str:
        return self.id

    def __repr__(self) -> str:
        return f"<{self.id}>"  # params may be secret, and a traceback shows this

    def __rich_repr__(self) -> Any:
        return iter((self.id,))

    @hookimpl
    def watch(self) -> Subscription | AsyncIterator[None]:
        """Never look again: for kinds that nothing but a notification can move."""
        return Still()

    @hookimpl
    async def recv(self, values: Mapping[str, object]) -> None:
        """Set the params named in `values`, and see that they go together."""
        for name, value in values.items():
            setattr(self, name, value)
        validate = getattr(self, "__post_init__", None)
        if validate is not None:
            validate()

    def check(self) -> Any:
        """Return the differences between the machine and the declaration, as a list of `Change`."""
        raise NotImplementedError(f"{type(self).__name__} implements neither check nor check_apply")

    def apply(self, changes: list[Change]) -> Any:
        """Repair the differences that `check` found."""
        raise NotImplementedError(
            f"{type(self).__name__}.check found {changes}, but apply is missing"
        )

    @hookimpl
    async def check_apply(self, apply: bool) -> list[Change]:
        """Check; if something differs and `apply`, write down the intent and repair it."""
        changes: list[Change] = await call(self, self.check)
        if changes and apply:
            await self.intend(changes)
            await call(self, self.apply, changes)
        return changes

    def provides(self) -> Iterable[Thing]:
        """Return what others may need of this one, told by its params alone."""
        return ()

    def needs(self) -> Iterable[Need]:
        """Return what this one waits for, told by its params alone."""
        return ()

    def touches(self) -> Iterable[Thing]:
        """Return what its apply and refresh may change, told by its params alone; `ANYTHING` if nobody knows.

        A plan says of what comes after it and `reads` one of these that it may be found otherwise in the run.
        """
        return self.provides()

    def reads(self) -> Iterable[Thing]:
        """Return what its check looks at, told by its params alone; nothing if it finds the same whatever happens.

        If nothing else is said: what it provides, and what it needs but for the directories that things are made in.
        """
        needed = (Thing(n.what, n.name) for n in self.needs() if not (n.nearest or n.after))
        return (*self.provides(), *needed, Thing(self.kind, self.name))

    def reversed(self) -> Any:
        """Return the resource whose apply brings back what the machine has now; asked before the first change.

        It has the same kind and name, and params that can be written down; a file "prior" in the state directory is
        kept as long as they are. None: nothing to bring back. May be `async`. A kind without this cannot be put back.

        Raises:
            OSError: what is there now cannot be read.

        """
        raise NotImplementedError(f"{self.kind} cannot be put back")

    async def intend(self, changes: list[Change]) -> None:
        """Make durable that this is about to change something.

        A kind that implements `check_apply` itself awaits this before its first mutation.
        """
        await self.host.intend(self, changes)


@dataclass_transform(kw_only_default=True)
class Fact(msgspec.Struct, metaclass=_Declarative, kw_only=False):
    """Something on this machine that is only to be known.

    A subclass lists its params as typed fields with defaults, names its `kind` and the type of its values, `Value`: a
    plain type, a list, or a `Values` with named fields.

    name: what it is about, the kind says what it means (a path, a pattern); empty for those that have one value only.
    """

    kind: ClassVar[str]
    Value: ClassVar[Any]
    name: str = ""
    _host: Any = None

    @property
    def host(self) -> "Host":
        """All that a kind needs from outside: files, watchers, processes, state, clock."""
        if self._host is None:
            from setpoint.host import Host

            self._host = Host()
        return self._host  # type: ignore[no-any-return]

    @property
    def id(self) -> str:
        """As it is written in a log: what a graph calls it, "secrets.db", if that is known; else kind and name."""
        return self.__dict__.get("called") or f"{self.kind} {self.name}".rstrip()

    def call(self, name: str) -> None:
        """Let `name` be written in a log, which says more to who wrote the graph."""
        self.__dict__["called"] = name

    async def watch(self) -> AsyncIterator[Any]:
        """Yield the value when watching has begun, then each time it may have changed.

        Raises:
            OSError: it cannot be known now; who follows it begins anew after a while.
            Refused: it cannot be known here, whatever the number of tries.

        """
        raise NotImplementedError
        yield


async def call(resource: Resource, verb: Callable[..., Any], *args: Any) -> Any:
    """Return what `verb` of `resource` returns: awaited, or from a worker thread if it may block."""
    if inspect.iscoroutinefunction(verb):
        return await verb(*args)
    if is_quick(resource):
        return verb(*args)
    return await resource.host.in_thread(verb, *args)


def is_quick(resource: Resource) -> bool:
    """Whether `resource` says that it is quick, which it may find out from its params."""
    try:
        return resource.quick
    except Exception:  # then it is not; its check will tell what is wrong
        return False


def params(kind: type[Resource] | type[Fact]) -> tuple[str, ...]:
    """Return the names of the params of `kind`, in the order they are declared."""
    return tuple(name for name in kind.__struct_fields__ if name not in RESERVED)


@cache
def defaults(struct: type[msgspec.Struct]) -> Mapping[str, Any]:
    """Return what each field of `struct`, a kind or `Meta`, is if nothing is declared; `NODEFAULT` if it has to be."""
    return {
        field.name: field.default
        if field.default_factory is msgspec.NODEFAULT
        else field.default_factory()
        for field in msgspec.structs.fields(struct)
    }


def has_refresh(kind: type[Resource]) -> bool:
    """Whether `kind` reacts to notifications itself rather than passing them on."""
    return hasattr(kind, "refresh")
