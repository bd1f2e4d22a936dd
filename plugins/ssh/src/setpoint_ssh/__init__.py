"""Resources about SSH.

authorized_key.py  `ssh:authorized_key`, a key that lets somebody in
lines.py           the lines of such files, taken apart and put together
keys.py            which texts are public keys, and which options they may have
places.py          where the file of a user is, and whose
"""

from setpoint_ssh.authorized_key import AuthorizedKey

__all__ = ["AuthorizedKey"]
