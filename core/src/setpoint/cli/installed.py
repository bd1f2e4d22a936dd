"""What is installed, looked up once for a process."""

from functools import cache

from setpoint.plugins import Plugins, cache_file


@cache
def installed() -> Plugins:
    """Return the plugins that are installed."""
    return Plugins(cache=cache_file())
