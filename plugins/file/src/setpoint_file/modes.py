"""Permission bits as people write them: "0644" or "u=rw,g=r,o="."""

import functools
import re
from typing import NamedTuple

ALL = 0o7777
_PLACES = {"u": 6, "g": 3, "o": 0}
_SPECIAL = {"u": 0o4000, "g": 0o2000, "o": 0o1000}
_CLAUSE = re.compile(r"([ugoa]+)=([rwxst]*)")


class Mode(NamedTuple):
    """Which permission bits are declared, and how they are to be."""

    declared: int
    bits: int

    def over(self, found: int) -> int:
        """Return the bits as declared, all others as in `found`."""
        return (found & ~self.declared) | self.bits


@functools.lru_cache(maxsize=256)
def parse_mode(text: str) -> Mode:
    """Return the mode that `text` declares; empty declares nothing.

    Raises:
        ValueError: it is neither octal nor symbolic; says the rule, and what to write.

    Source: chmod(1).

    """
    if not text:
        return Mode(0, 0)
    if re.fullmatch(r"[0-7]{3,5}", text) and int(text, 8) <= ALL:
        return Mode(ALL, int(text, 8))
    declared = bits = 0
    for clause in text.split(","):
        more_declared, more_bits = _parse_clause(text, clause)
        declared |= more_declared
        bits = (bits & ~more_declared) | more_bits
    return Mode(declared, bits)


def _parse_clause(text: str, clause: str) -> tuple[int, int]:
    """Return the bits that "ug=rw" declares, and those it sets."""
    if re.fullmatch(r"[ugoa]*[+-][rwxXst]*", clause):
        raise ValueError(f"must say how it is to be, not what to change, as {text!r} does")
    match = _CLAUSE.fullmatch(clause)
    if match is None:
        raise ValueError(f"must be octal up to 07777 or like u=rw,g=r,o=, not {text!r}")
    declared = bits = 0
    for who in match[1].replace("a", "ugo"):
        declared |= 0o7 << _PLACES[who] | _SPECIAL[who]
        bits |= (
            sum(1 << "xwr".index(letter) for letter in set(match[2]) & set("rwx")) << _PLACES[who]
        )
        if ("t" if who == "o" else "s") in match[2]:
            bits |= _SPECIAL[who]
    return declared, bits
