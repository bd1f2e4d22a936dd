"""The crash-proof record of what has changed and who still has to hear of it.

The promise: if a resource changed something, every resource it notifies is refreshed at least once
after that change, whatever dies in between. One change passes through these states:

    nothing --intend--> intent --resolve--> a debt for each one notified --clear--> nothing

- `intend` returns when the intent is on disk; only then does the resource change the machine. If
  the process dies, the intent stays, and one that is found at the start counts as a change.
- `resolve` takes the intent away and records the debts, in one transaction: there is no moment
  with neither. (`owe` records debts before that, for a resource that failed and will go on.)
- `clear` is called when the refresh has succeeded, never before.

Only `intend` is waited for. All else is queued, and one thread writes the queue in order, many
entries in one transaction; so what is on disk is always a state that the engine has been in, a
little old at most. Being old is harmless: an intent still there or a debt already paid means one
refresh too many, never one too few. When a write fails, intents raise, so that nothing is changed
without one; the rest stays queued in order, is reported through `Journal.failed`, and tried again.

A resource may change again while the one it notifies still refreshes because of the change before.
`mark` tells the two debts apart: `clear` with a mark from before the refresh leaves the newer one.

Beside the promise the journal keeps what resources sent, so that a restart need not run the senders
again, for `setpoint status` how they fared, and for `setpoint explain` a trace of what happened and why; these two are
written twice a second at most, and the trace is bounded, and given up if it cannot be written.

In the directory: `lock` (held while an engine runs, says whose it is) and `journal.db` (SQLite)
with its `-wal` and `-shm`. A durable write takes about 0.3 ms, a hundred intents in one transaction
under 1 ms, an idle journal nothing. Order comes from the queue and from numbers; wall times are
there for people to read only.
"""

from setpoint.journal.database import Debt
from setpoint.journal.journal import Journal
from setpoint.journal.lock import Owner
from setpoint.journal.status import Status, read_status
from setpoint.journal.tally import Outcome
from setpoint.journal.trace import Entry, read_trace

__all__ = [
    "Debt",
    "Entry",
    "Journal",
    "Outcome",
    "Owner",
    "Status",
    "read_status",
    "read_trace",
]
