"""Who hears of a name in a directory: one entry, or several that are held as one."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol


class Entry(Protocol):
    """Who wants to hear of a name in a directory, or of all of them."""

    @property
    def changed(self) -> Callable[[], None]:
        """What to call at once when an event is read."""

    def look(self, mask: int) -> bool:
        """See what is there now, when all events are read; whether that is news to be told.

        mask: the events since the last look; 0 when this is the first one.
        """


class Several:
    """Entries for the same name, as if they were one."""

    __slots__ = ("entries",)

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self.entries = entries

    def changed(self) -> None:
        """Call each, whatever happens in another."""
        for entry in self.entries:
            tell(entry)


Held = Entry | Several  # what a table has for a name


def together(entries: Iterable[Entry]) -> Held | None:
    """Return what a table holds for a name that `entries` want to hear of."""
    found = tuple(entries)
    return Several(found) if len(found) > 1 else found[0] if found else None


def entries_of(held: Held | None) -> tuple[Entry, ...]:
    """Return the entries in what a table holds for a name."""
    if held is None:
        return ()
    return held.entries if isinstance(held, Several) else (held,)


def tell(entry: Entry) -> None:
    """Call `entry`; a fault in there is reported by the loop and is nobody else's."""
    try:
        entry.changed()
    except Exception as error:
        report(error)


def report(error: Exception) -> None:
    """Let the loop report that a subscriber failed."""
    asyncio.get_running_loop().call_exception_handler(
        {"message": "a subscriber of a watched path failed", "exception": error}
    )
