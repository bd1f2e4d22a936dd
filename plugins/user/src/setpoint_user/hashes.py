"""Which texts are encrypted passwords, so that none in clear text gets into /etc/shadow."""

import re

# The methods of crypt(5), but for the old ones without a "$": their 13 letters may be anybody's password.
HASH = re.compile(r"\$(1|2[abxy]|5|6|7|y|gy|sha1|md5)[$,][!-9;-~]{8,}")
NO_PASSWORD = ("*", "!")


def is_hash(text: object) -> bool:
    """Whether `text` is what crypt(3) makes of a password, or says that there is none."""
    return isinstance(text, str) and (text in NO_PASSWORD or HASH.fullmatch(text) is not None)


def is_locked(field: str) -> bool:
    """Whether the password in this field of shadow(5) lets nobody in."""
    return field.startswith(("!", "*"))


def is_open_to(field: str) -> bool:
    """Whether there is a password in `field` that may be unlocked."""
    return field.lstrip("!") not in ("", "*")
