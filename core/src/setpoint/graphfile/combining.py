"""Values that expressions make, put together: texts of pieces, lists and maps of which a part is missing."""

from typing import Any

import msgspec

from setpoint.expressions import UNKNOWN
from setpoint.values import Received, Secret, as_text, reveal

Piece = str | Received | Secret[Any]


def missing(values: Any, otherwise: Any) -> Any:
    """Return what of `values` is no value at all, the worst of it; `otherwise` if all are."""
    kinds = {id(value) for value in values}
    if id(msgspec.UNSET) in kinds:
        return msgspec.UNSET
    return UNKNOWN if id(UNKNOWN) in kinds else otherwise


def length(piece: Piece) -> int:
    """Return how many characters `piece` has."""
    return len(as_text(reveal(piece)))


def adjacent_joined(pieces: list[Piece]) -> tuple[Piece, ...]:
    """Return `pieces` with texts that follow each other made one."""
    result: list[Piece] = []
    texts: list[str] = []
    for piece in [*pieces, None]:
        if isinstance(piece, str):
            texts.append(piece)
            continue
        if texts:
            result.append("".join(texts))
            texts = []
        if piece is not None:
            result.append(piece)
    return tuple(result)


def measure(value: Any) -> tuple[int, int]:
    """Return of how many values `value` consists, and how deep it is nested; 1, 0 for one of its own."""
    if not isinstance(value, (list, dict)):
        return 1, 0
    inner = [measure(item) for item in (value.values() if isinstance(value, dict) else value)]
    return 1 + sum(count for count, _ in inner), 1 + max((height for _, height in inner), default=0)
