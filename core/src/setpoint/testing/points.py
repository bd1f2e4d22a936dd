"""Points at which something is done to work: the wait number n, the system call number n."""

NEVER = -1


def spread(total: int, most: int) -> list[int]:
    """Return up to `most` different numbers from 0 to below `total`, evenly spread, first and last among them."""
    if total <= most:
        return list(range(total))
    return sorted({round(n * (total - 1) / max(1, most - 1)) for n in range(most)})
