"""The `sysctl` resource: a setting of the kernel, now and after the next boot.

resource.py       params and verbs
keys.py           the ways in which a key is written
kernel.py         reading and writing /proc/sys
configuration.py  the files that are read at boot
polling.py        noticing that a value is another one
"""

from setpoint_sysctl.resource import Sysctl

__all__ = ["Sysctl"]
