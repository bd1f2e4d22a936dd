"""HTTP, both ways: `http` downloads, `http:server` serves, and `http:file` is what it serves.

Of a download: `http` has the params, `differences` looks and asks, `placing` puts the file there. `transfer` fetches
it, as often as it breaks off (`tries`, `partial`), through `client`, which speaks to servers, or `local`, for file:
URLs. `record` knows what was fetched; `stopping` runs all of this in threads, and ends it.

Of the server: `server` and `served` have the params, `table` knows what is served by whom, `listener` accepts
connections, `locations` says what a request means, `bodies` opens it, and `answers` sends the part that is wanted.
"""

from setpoint_http.http import Http
from setpoint_http.served import HttpFile
from setpoint_http.server import HttpServer

__all__ = ["Http", "HttpFile", "HttpServer"]
