"""What many resources want, brought about by one command, and what came of it for each.

What came of it is read from dpkg's table, not from an exit code: a package whose script fails leaves apt-get with an
error, and others installed. What is left is tried again without those that are known to be at fault, and if that brings
nothing, in halves, until each fault stands alone.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from setpoint import Refused
from setpoint.processes import Completed
from setpoint_pkg import policy
from setpoint_pkg.backend import GONE, Found, Wish
from setpoint_pkg.commands import written
from setpoint_pkg.dpkg import ABSENT, Table, updates
from setpoint_pkg.locks import wait_until_free

if TYPE_CHECKING:
    from setpoint_pkg.apt import Apt

SETTLED = ("installed", "absent", "removed")
RECOMMENDS = {None: (), True: ("--install-recommends",), False: ("--no-install-recommends",)}
SHOWN = 10  # lines of what apt said, in an error

Outcome = dict[Wish, Exception | None]


class NotBroughtError(OSError):
    """apt has not brought about what was wanted.

    Args:
        wish: what that is.
        found: the package as it is now.
        completed: how the command ended; lines about the package are part of the message.

    """

    def __init__(self, wish: Wish, found: Found, completed: Completed) -> None:
        what = f"{wish.name} must be {wish.state}, is {found.shown or 'absent'} after apt-get"
        lines = "\n".join(_lines_about(wish.name, completed.output)[-SHOWN:])
        super().__init__(f"{what} ended with {completed}{lines and '; it said:'}\n{lines}".rstrip())


class Step(NamedTuple):
    """A wish that needs apt-get: what stands for it on the command line, and the version it leads to, empty if none."""

    wish: Wish
    word: str
    version: str

    def is_done(self, table: Table) -> bool:
        """Whether the package is as it is to be."""
        found = table.get(self.wish.name, ABSENT)
        if self.version:
            return found.is_installed and found.version == self.version
        return found.state in ("absent", "removed")


class Transaction:
    """Brings about `wishes` of different packages, once."""

    def __init__(self, apt: "Apt", wishes: Sequence[Wish]) -> None:
        self._apt, self._wishes = apt, wishes
        self._commands, self._dpkg = apt.commands, apt.dpkg

    async def run(self) -> Outcome:
        """Do so, and return for each wish the error if there was one."""
        outcome: Outcome = dict.fromkeys(self._wishes)
        await self._make_ready()
        steps = await self._plan(outcome)
        await self._mark("unhold", [step.wish for step in steps if step.wish.hold is not None])
        for recommends in RECOMMENDS:
            part = [step for step in steps if step.wish.recommends is recommends]
            if part:
                outcome.update(await self._attempt(part))
        await self._purge(outcome)
        for wanted, word in ((True, "hold"), (False, "unhold")):
            await self._mark(word, [wish for wish in self._wishes if wish.hold is wanted])
        return outcome

    async def _make_ready(self) -> None:
        """Wait for others, finish what was interrupted, and see that the lists are not too old."""
        await wait_until_free(self._tell_all)
        if updates():
            self._tell_all("finishes what dpkg was interrupted in")
            await self._commands.run("/usr/bin/dpkg", "--configure", "-a", say=self._say)
        await self._mend()
        coming = [wish.max_age for wish in self._wishes if wish.state not in GONE]
        if coming:
            await self._apt.lists.freshen(min(coming), self._tell_all)

    async def _mend(self) -> None:
        """Unpack anew what dpkg was interrupted in so that it can neither configure nor remove it."""
        going = {wish.name for wish in self._wishes if wish.state in GONE}
        broken = [name for name, found in (await self._dpkg.table()).items() if found.is_torn]
        names = [name for name in broken if ":" not in name and name not in going]
        if names:
            options = ("--reinstall", "--fix-broken")
            await self._commands.apt_get("install", *options, "--", *names, say=self._say)

    async def _plan(self, outcome: Outcome) -> list[Step]:
        """Return the steps for what differs; what apt cannot do goes into `outcome`."""
        table = await self._dpkg.table()
        todo = [wish for wish in self._wishes if _differs(wish, table)]
        offers = await self._offers(todo)
        steps = []
        for wish in todo:
            found, offer = table.get(wish.name, ABSENT), offers.get(wish.name)
            version = policy.version_for(wish, offer) if offer else ""
            if found.is_installed and found.version == version:
                continue  # a hold, or already the newest
            if wish.state in GONE:
                if found.state not in ("absent", "removed"):
                    steps.append(Step(wish, f"{wish.name}-", ""))
            elif found.held and wish.hold is None and found.version != version:
                cure = f"run apt-mark unhold {wish.name}, or declare hold: false"
                outcome[wish] = Refused(f"{wish.name} is on hold at {found.version}", cure)
            elif version:
                steps.append(Step(wish, f"{wish.name}={version}", version))
            else:
                outcome[wish] = await policy.fault(self._commands, wish, offer)
        return steps

    async def _offers(self, wishes: Sequence[Wish]) -> dict[str, policy.Offer]:
        """Return what apt has for `wishes`; if that is not enough, refresh its lists once."""
        coming = [wish for wish in wishes if wish.state not in GONE]
        if not coming:
            return {}
        names = [wish.name for wish in coming]
        known = await policy.offers(self._commands, names)
        if all(w.name in known and policy.version_for(w, known[w.name]) for w in coming):
            return known
        if not self._apt.lists.may_be_refreshed:
            return known
        await self._apt.lists.freshen(-1.0, self._tell_all)
        return await policy.offers(self._commands, names)

    async def _attempt(self, steps: Sequence[Step]) -> Outcome:
        """Take `steps` at once; of those that it leaves, find those at fault."""
        done = await self._install(steps)
        table = await self._dpkg.table()
        left = [step for step in steps if not step.is_done(table)]
        broken = [s for s in left if table.get(s.wish.name, ABSENT).state not in SETTLED]
        outcome: Outcome = {step.wish: None for step in steps}
        for step in left if len(steps) == 1 else broken:
            found = table.get(step.wish.name, ABSENT)
            outcome[step.wish] = NotBroughtError(step.wish, found, done)
        rest = [step for step in left if outcome[step.wish] is None]
        for part in _parts(rest, len(steps)):
            outcome.update(await self._attempt(part))
        return outcome

    async def _install(self, steps: Sequence[Step]) -> Completed:
        """Run apt-get for `steps`; what is half done on this machine gets finished with them."""
        found = (await self._dpkg.table()).values()
        options = ["--allow-downgrades", *RECOMMENDS[steps[0].wish.recommends]]
        if any(one.state not in SETTLED for one in found):
            options.append("--fix-broken")
        if any(one.is_torn for one in found):
            options.append("-o=DPkg::Options::=--force-remove-reinstreq")
        words = [step.word for step in steps]
        return await self._commands.apt_get("install", *options, "--", *words, say=self._say)

    async def _purge(self, outcome: Outcome) -> None:
        """Take away what packages that are gone have left."""
        table = await self._dpkg.table()
        rest = [w for w in outcome if w.state == "purged" and not outcome[w] and _differs(w, table)]
        if rest:
            words = [wish.name for wish in rest]
            done = await self._commands.apt_get("purge", "--", *words, say=self._say)
            table = await self._dpkg.table()
            for wish in rest:
                if _differs(wish, table):
                    outcome[wish] = NotBroughtError(wish, table.get(wish.name, ABSENT), done)

    async def _mark(self, word: str, wishes: Sequence[Wish]) -> None:
        """Hold or release those packages of `wishes` that are there and are not so."""
        table = await self._dpkg.table()
        there = [wish.name for wish in wishes if wish.name in table]
        names = [name for name in there if table[name].held != (word == "hold")]
        if names:
            await self._commands.ask("/usr/bin/apt-mark", word, "--", *names)

    def _tell_all(self, text: str) -> None:
        for wish in self._wishes:
            wish.tell(text)

    def _say(self, line: str) -> None:
        """Tell a line of a command to those it is about; not those that only list names."""
        if line.startswith(" "):
            return
        words = set(line.replace(":", " ").split())
        for wish in self._wishes:
            if wish.name.partition(":")[0] in words:
                wish.tell(line)


def _differs(wish: Wish, table: Table) -> bool:
    """Whether something is left to do; of the newest version only the planned step knows that it is."""
    found = table.get(wish.name, ABSENT)
    return wish.state == "newest" or bool(wish.differences(found))


def _parts(rest: list[Step], tried: int) -> list[list[Step]]:
    """Return what to try next of what is left: all at once if others were at fault, else halves."""
    if not rest:
        return []
    if len(rest) < tried:
        return [rest]
    return [rest[: len(rest) // 2], rest[len(rest) // 2 :]]


def _lines_about(name: str, output: str) -> list[str]:
    """Return the lines about a package and the errors of apt, each with those that begin with a blank after it."""
    lines: list[str] = []
    taken = False
    for line in map(written, output.split("\n")):
        names = name in line and not line.startswith(("  ", "Get:"))  # not lists of packages
        taken = names or line.startswith("E: ") or (taken and line.startswith(" "))
        if taken:
            lines.append(line)
    return lines
