"""The `mount` resource: a file system that is mounted, now and after the next boot, or is not.

resource.py    params and verbs
rules.py       which params go together
table.py       what is mounted, as the kernel tells it
devices.py     whether what is mounted is the device that is declared
options.py     whether it has the options that are declared
fstab.py       the line of /etc/fstab
commands.py    mount(8), umount(8), and who keeps a file system busy
events.py      noticing that something was mounted or unmounted
reversal.py    what brings back the state of now
"""

from setpoint_mount.resource import Mount

__all__ = ["Mount"]
