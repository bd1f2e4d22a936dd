"""The users and groups of this machine: its own files, and the tools that change them.

tables.py      what the files say, parsed once for all who ask
following.py   who is told when what they look at has changed
tools.py       useradd(8) and its like, one at a time
"""

from setpoint.accounts.following import Accounts, News
from setpoint.accounts.tables import Group, Shadow, Tables, Trace, User
from setpoint.accounts.tools import ToolFailed, Tools, check_name

__all__ = [
    "Accounts",
    "Group",
    "News",
    "Shadow",
    "Tables",
    "ToolFailed",
    "Tools",
    "Trace",
    "User",
    "check_name",
]
