"""The answer to a request: all of a body, a part of it, or the word that the client has it already.

Source: RFC 9110 13 (conditions, in the order of 13.2.2) and 14 (ranges). Of several ranges none is sent, but all of it,
as 14.2 allows: who asks for many small ones makes a server work for nothing.
"""

import asyncio
import re
from email.utils import formatdate
from typing import TYPE_CHECKING

from setpoint.paths import CHUNK
from setpoint_http.bodies import Body
from setpoint_http.dates import seconds_of

if TYPE_CHECKING:
    from aiohttp.web import BaseRequest, StreamResponse

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


async def answer(request: "BaseRequest", body: Body) -> "StreamResponse":
    """Send what `request` wants of `body`."""
    headers = {"ETag": body.etag, "Last-Modified": formatdate(int(body.modified), usegmt=True)}
    if not _may_be_sent(request, body):
        return await _send(request, 412, {}, body)
    if _has_it(request, body):
        return await _send(request, 304, headers, body)
    headers |= {"Accept-Ranges": "bytes", "Content-Type": body.content_type}
    part = _part(request, body)
    if part is None:
        return await _send(request, 200, headers, body, 0, body.size)
    start, stop = part
    if start >= stop:
        return await _send(request, 416, {"Content-Range": f"bytes */{body.size}"}, body)
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{body.size}"
    return await _send(request, 206, headers, body, start, stop)


async def refuse(request: "BaseRequest", status: int, **headers: str) -> "StreamResponse":
    """Answer without a body."""
    from aiohttp import web

    return web.Response(status=status, headers={"Server": "setpoint", **headers})


async def _send(
    request: "BaseRequest",
    status: int,
    headers: dict[str, str],
    body: Body,
    start: int = 0,
    stop: int = 0,
) -> "StreamResponse":
    """Send the head, and of the body what lies between `start` and `stop`."""
    from aiohttp import web

    response = web.StreamResponse(status=status, headers={"Server": "setpoint", **headers})
    if status != 304:
        response.content_length = stop - start
    await response.prepare(request)
    while start < stop and request.method != "HEAD":
        piece = await asyncio.to_thread(body.read, start, min(CHUNK, stop - start))
        if not piece:  # it was cut off meanwhile: better no end than a wrong one
            if request.transport:
                request.transport.abort()
            break
        await response.write(piece)
        start += len(piece)
    await response.write_eof()
    return response


def _may_be_sent(request: "BaseRequest", body: Body) -> bool:
    """Whether it is the version that the client insists on."""
    wanted = request.headers.get("If-Match")
    if wanted is not None:
        strong = not body.etag.startswith("W/")
        return wanted.strip() == "*" or (strong and body.etag in _tags(wanted))
    since = seconds_of(request.headers.get("If-Unmodified-Since", ""))
    return since is None or int(body.modified) <= since


def _has_it(request: "BaseRequest", body: Body) -> bool:
    """Whether the client has this version."""
    known = request.headers.get("If-None-Match")
    if known is not None:
        tags = {tag.removeprefix("W/") for tag in _tags(known)}
        return known.strip() == "*" or body.etag.removeprefix("W/") in tags
    since = seconds_of(request.headers.get("If-Modified-Since", ""))
    return since is not None and int(body.modified) <= since


def _part(request: "BaseRequest", body: Body) -> tuple[int, int] | None:
    """Return where the part that is wanted begins and stops; None if it is all."""
    match = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    condition = request.headers.get("If-Range", "").strip()
    if not match or match[0] == "bytes=-" or (condition and not _is_strong(condition, body)):
        return None
    first, last = match.groups()
    if not first:
        return max(0, body.size - int(last)), body.size
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, body.size) if last else body.size


def _is_strong(condition: str, body: Body) -> bool:
    """Whether an If-Range names this version for sure."""
    if condition.endswith('"'):
        return condition == body.etag and not condition.startswith("W/")
    return seconds_of(condition) == int(body.modified)


def _tags(header: str) -> list[str]:
    return [tag.strip() for tag in header.split(",")]
