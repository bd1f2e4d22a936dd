"""The runtime: runs a graph, keeps it, tells what happens.

`Engine` is the whole of it for those who embed it. Inside, an integer is a vertex (`vertices`), the scheduler decides
which runs next (`scheduler`), three modules run it (`quick` on the loop, `batches` in threads, `general` with all there
is to a resource), `outcomes` decides what follows, `ledger` and `exchange` carry notifications and values.
"""

from setpoint.engine.engine import Engine
from setpoint.engine.parts import Options
from setpoint.engine.result import Result

__all__ = ["Engine", "Options", "Result"]
