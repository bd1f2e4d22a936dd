"""Watching: who wants to know when a path may have changed is told, once watching has begun.

One inotify descriptor for a watcher; kernel watches on directories only, shared by all paths that
lead to the same one. Paths need not exist; links are followed and watched themselves; what the
kernel says nothing about is polled. From below:

- `inotify` is the kernel's side: the descriptor, how events look, which file systems have none.
- `directory` has the two views of a directory: the inode with its kernel watch, shared, and the
  path that leads to it now and elsewhere tomorrow.
- `leaf` is a subscribed path; `tree` holds them all and says how events travel.
- `polling` makes events where the kernel has none; `watcher` puts all of it on the loop.
- `priority` is for files of /proc that tell of their changes themselves; `aimed` follows a path that
  becomes another one; `every` tells by the clock.
"""

from setpoint.watching.aimed import Aimed
from setpoint.watching.every import Every
from setpoint.watching.priority import Priority
from setpoint.watching.subscription import Many, Still, Subscription
from setpoint.watching.watcher import Watcher

__all__ = ["Aimed", "Every", "Many", "Priority", "Still", "Subscription", "Watcher"]
