"""Facts about this machine, one module each.

A fact listens to what says that it may have changed, reads what is so now, and yields that if it differs. From below:

- `sources` is whatever happens now and then: opened when the first fact listens, closed after the last.
- `ticker` is the time between looks, for what the kernel tells nobody; `wallclock` the time of day.
- `netlink` and `devices` are the kernel's news of the network and of devices.
- `patience` calls what may hang in threads that nobody has to wait for.
- `reading` makes a stream of values of all that.

All facts of a host share one timer for each interval, one netlink socket, one udev monitor, one look-out for mounts.
"""
