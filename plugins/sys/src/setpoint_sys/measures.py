"""Numbers as people read them."""


def percent(part: float, whole: float) -> float:
    """Return `part` in percent of `whole`, with one digit after the point; 0 of nothing."""
    return round(100 * part / whole, 1) if whole else 0.0
