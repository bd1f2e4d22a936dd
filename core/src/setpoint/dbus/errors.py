"""What a call over a bus raises."""

_DENIED = {"AccessDenied", "AuthFailed", "InteractiveAuthorizationRequired"}
_LATE = {"NoReply", "Timeout", "TimedOut"}


class CallError(OSError):
    """What was called, or the bus, answered with an error.

    name: the D-Bus name of the error, such as "org.freedesktop.DBus.Error.UnknownMethod".
    text: what it says.
    """

    def __init__(self, member: str, name: str, text: str) -> None:
        super().__init__(f"{member} was refused: {text.rstrip('.') or name}")
        self.name, self.text = name, text

    @property
    def reason(self) -> str:
        """The last word of its name: "UnknownMethod"."""
        return self.name.rpartition(".")[2]


class CallDeniedError(CallError, PermissionError):
    """Who called may not do this."""


class NoAnswerError(CallError, TimeoutError):
    """What was called did not answer, and may do so later."""


class ConnectionLostError(ConnectionError):
    """The bus went away; whether what was under way has been done is not known."""


def refusal(member: str, name: str, text: str) -> CallError:
    """Return the error for what a call was answered with."""
    reason = name.rpartition(".")[2]
    if reason in _DENIED:
        return CallDeniedError(member, name, text)
    return (NoAnswerError if reason in _LATE else CallError)(member, name, text)
