"""The `hostname` resource: what this machine is called.

resource.py   params and verbs
names.py      what can be a name
places.py     where the names are: two files and the kernel
hostnamed.py  systemd-hostnamed, which changes them where systemd runs
"""

from setpoint_hostname.resource import Hostname

__all__ = ["Hostname"]
