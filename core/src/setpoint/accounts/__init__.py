"""The users and groups of this machine: its own files, and the tools that change them.

tables.py      what the files say, parsed once for all who ask
following.py   who is told when what they look at has changed
tools.py       useradd(8) and its like, one at a time
"""

from setpoint.accounts.following import Accounts, News
from setpoint.accounts.tables import Group, Shadow, Tables, Trace, User
from setpoint.accounts.tools import ToolFailed, Tools, check_name
from setpoint.relations import Thing

ACCOUNTS = Thing(
    "accounts", ""
)  # all users and groups, for who touches or reads those that nobody names

__all__ = [
    "ACCOUNTS",
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
