"""Times as HTTP has them. Source: RFC 9110 5.6.7, 8.8.2.2, 10.2.3."""

import time
from collections.abc import Mapping


def seconds_of(date: str) -> float | None:
    """Return what a date stands for in seconds since 1970; None if it is none."""
    from email.utils import parsedate_to_datetime  # 10 ms, and few answers have a date that matters

    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def seconds_until(retry_after: str) -> float | None:
    """Return for how long a server wants to be left alone; None if it does not say."""
    if retry_after.strip().isdecimal():
        return float(retry_after)
    date = seconds_of(retry_after) if retry_after else None
    return None if date is None else max(0.0, date - time.time())


def validator(headers: Mapping[str, str]) -> str:
    """Return what tells for sure whether the rest of an answer, fetched later, belongs to it; "" if nothing does.

    Args:
        headers: of the answer, names in lower case.

    Source: RFC 9110 13.1.5: a weak ETag does not, nor a time of modification that is as young as the answer.

    """
    etag = headers.get("etag", "")
    if etag:
        return "" if etag.startswith("W/") else etag
    modified, date = headers.get("last-modified", ""), headers.get("date", "")
    then, now = seconds_of(modified), seconds_of(date)
    return modified if then is not None and now is not None and now - then >= 1 else ""
