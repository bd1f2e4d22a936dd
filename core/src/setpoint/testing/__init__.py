"""What tests of plugins need: suites that test the contract, and fixtures with real components.

`pip install setpoint[testing]` gives pytest the fixtures (see `setpoint.testing.plugin`). The suites are subclassed:

    from setpoint.testing import ResourceSuite

    class TestLine(ResourceSuite):
        @pytest.fixture
        def resource(self, host, tmp_path): ...

        async def disturb(self, resource): ...

Names are loaded when they are first used: pytest imports this package in each of its runs.
"""

from typing import TYPE_CHECKING

from setpoint.lazily import lazy

_HOMES = {
    "Crash": "lives",
    "Engines": "engines",
    "FactSuite": "facts",
    "HandClock": "clocks",
    "Kept": "engines",
    "ResourceSuite": "resources",
    "VirtualClock": "clocks",
}

__all__ = ["Crash", "Engines", "FactSuite", "HandClock", "Kept", "ResourceSuite", "VirtualClock"]

if TYPE_CHECKING:
    from setpoint.testing.clocks import HandClock, VirtualClock
    from setpoint.testing.engines import Engines, Kept
    from setpoint.testing.facts import FactSuite
    from setpoint.testing.lives import Crash
    from setpoint.testing.resources import ResourceSuite

__getattr__ = lazy(__name__, _HOMES)
