"""Which versions there are to install, as apt's policy has it: pins, holds and priorities considered."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from setpoint import Refused
from setpoint.errors import suggest
from setpoint_pkg.backend import Wish, fits
from setpoint_pkg.commands import Commands

CACHE = "/usr/bin/apt-cache"
_VERSION = re.compile(r" (?:\*\*\*|   ) (\S+) -?\d+( |$)")


class Offer(NamedTuple):
    """What apt has of a package.

    candidate: the version that it would install; empty if none.
    versions: all of them, the newest first; none of a package that others merely name.
    """

    candidate: str
    versions: tuple[str, ...]


async def offers(commands: Commands, names: Iterable[str]) -> dict[str, Offer]:
    """Return what apt has of those packages that it knows."""
    names = list(names)
    known = _parse(await commands.ask(CACHE, "policy", "--", *names))
    for name in names:  # of this machine's own architecture it says the bare name
        bare = name.partition(":")[0]
        if name not in known and bare in known:
            known[name] = known[bare]
    return known


def _parse(text: str) -> dict[str, Offer]:
    known: dict[str, Offer] = {}
    name = candidate = ""
    for line in text.splitlines():
        if not line.startswith(" "):
            name = line.removesuffix(":")
        elif line.startswith("  Candidate: "):
            candidate = line.removeprefix("  Candidate: ")
            known[name] = Offer("" if candidate == "(none)" else candidate, ())
        elif version := _VERSION.match(line):
            offer = known[name]
            known[name] = offer._replace(versions=(*offer.versions, version[1]))
    return known


def version_for(wish: Wish, offer: Offer) -> str:
    """Return the version that fulfils `wish`; empty if there is none."""
    if wish.state in ("installed", "newest"):
        return offer.candidate
    return next((version for version in offer.versions if fits(version, wish.state)), "")


async def fault(commands: Commands, wish: Wish, offer: Offer | None) -> Refused:
    """Return the error that says why no version fulfils `wish`, and what there is instead."""
    if offer is None:
        names = await commands.ask(CACHE, "pkgnames", _beginning(wish.name))
        return Refused(f"apt knows no package {wish.name!r}", _nearest(wish.name, names.split()))
    if not offer.versions:
        providers = await _providers(commands, wish.name)
        cure = f"declare {' or '.join(providers)}" if providers else ""
        return Refused(f"{wish.name!r} is no package that can be installed, others name it", cure)
    if wish.state in ("installed", "newest"):
        return Refused(f"apt's pins forbid each version of {wish.name}", "see apt_preferences(5)")
    there = ", ".join(offer.versions)
    return Refused(f"apt has no version {wish.state!r} of {wish.name}", f"it has {there}")


def _beginning(name: str) -> str:
    """Return how names begin that are compared with a wrong one: all 60,000 would take a second."""
    return name[:1]


def _nearest(name: str, known: list[str]) -> str:
    near = suggest(name, (other for other in known if abs(len(other) - len(name)) <= 3))
    return near if near.startswith("did you mean") else "refresh its lists, or add its repository"


async def _providers(commands: Commands, name: str) -> list[str]:
    """Return the packages that can take the place of one that does not exist itself."""
    text = await commands.ask(CACHE, "showpkg", "--", name)
    _, _, lines = text.partition("Reverse Provides:")
    return sorted({line.split()[0] for line in lines.splitlines() if line.strip()})
