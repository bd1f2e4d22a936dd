"""The `line` resource: a line, or a marked block of lines, that a text file has.

resource.py    params and verbs
rules.py       which params go together
text.py        the lines of a file, byte by byte what they were
making.py      finding what differs, and making it as declared
reversal.py    what brings back the state of now
"""

from setpoint_line.resource import Line

__all__ = ["Line"]
