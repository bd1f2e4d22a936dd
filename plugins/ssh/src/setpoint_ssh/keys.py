"""Which texts are public keys of SSH, and which options a line with one may have."""

import binascii
import re
from collections.abc import Iterator

from setpoint import ParamError
from setpoint.errors import suggest

# Those that sshd takes; ssh-dss is none of them any more.
TYPES = frozenset(
    "ssh-ed25519 ssh-rsa ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521"
    " sk-ssh-ed25519@openssh.com sk-ecdsa-sha2-nistp256@openssh.com".split()
)
# Source: sshd(8), AUTHORIZED_KEYS FILE FORMAT. Upper and lower case are the same.
FLAGS = frozenset(
    "agent-forwarding cert-authority no-agent-forwarding no-port-forwarding no-pty no-user-rc no-x11-forwarding"
    " port-forwarding pty no-touch-required verify-required restrict user-rc x11-forwarding".split()
)
WITH_VALUES = frozenset(
    "command environment expiry-time from permitlisten permitopen principals tunnel".split()
)
VALUE = re.compile(r'"(?:\\"|[^"\n\r\0])*+"')


def type_of(key: str) -> str | None:
    """Return the type that is written in a key; None if `key` is not a whole one in base64."""
    try:
        blob = binascii.a2b_base64(key.encode("ascii"), strict_mode=True)
        parts = list(_parts(blob))
        return parts[0].decode("ascii") if len(parts) > 1 else None
    except ValueError:
        return None


def fingerprint(key: str) -> str:
    """Return what ssh-keygen -l shows of a key; itself if it is none."""
    from hashlib import sha256

    try:
        digest = sha256(binascii.a2b_base64(key.encode("ascii"))).digest()
    except ValueError:
        return key
    return "SHA256:" + binascii.b2a_base64(digest, newline=False).decode().rstrip("=")


def check_key(key: str, type_: str) -> None:
    """See that `key` is one that sshd takes, of the type `type_` if that is given.

    Raises:
        ParamError: it is not.

    """
    if type_ and type_ not in TYPES:
        cure = suggest(type_, TYPES)
        raise ParamError("type", f"must be a type of key that sshd takes, not {type_!r}", cure)
    found = type_of(key)
    if found is None:
        cure = "write the second word of the .pub file, the others in type and key_comment"
        raise ParamError("key", f"must be a whole public key in base64, not {_short(key)!r}", cure)
    if found not in TYPES:
        raise ParamError("key", f"must be of a type that sshd takes, not {found!r}")
    if type_ not in ("", found):
        raise ParamError("type", f"must be {found!r} as the key has it, not {type_!r}")


def check_option(option: str) -> None:
    """See that `option` is one of sshd(8), written as it stands in a line.

    Raises:
        ParamError: it is not.

    """
    name, equals, value = option.partition("=")
    known = WITH_VALUES if equals else FLAGS
    if name.lower() not in known:
        cure = suggest(name, known)
        raise ParamError("options", f"must be options of sshd(8), not {option!r}", cure)
    if equals and not VALUE.fullmatch(value):
        raise ParamError("options", f"must have values in quotes, not {option!r}")


def _parts(blob: bytes) -> Iterator[bytes]:
    """Yield the strings of which a key is made: each after its length.

    Raises:
        ValueError: the last one is not whole.

    """
    while blob:
        length = int.from_bytes(blob[:4], "big")
        part, blob = blob[4 : 4 + length], blob[4 + length :]
        if len(part) != length or not length:
            raise ValueError("not whole")
        yield part


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:20]}...{text[-12:]}"
