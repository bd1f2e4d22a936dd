"""A subscription to a path that may become another one while it goes on."""

from collections.abc import Callable

from setpoint.watching.subscription import Subscription


class Aimed(Subscription):
    """Follows a path that is not known yet, or not for ever: below the home directory of a user, say.

    Args:
        watch: makes the subscription of a path.

    """

    __slots__ = ("_changed", "_part", "_path", "_watch")

    def __init__(self, watch: Callable[[str], Subscription]) -> None:
        self._watch = watch
        self._path = ""
        self._part: Subscription | None = None
        self._changed: Callable[[], None] | None = None

    def start(self, changed: Callable[[], None]) -> None:
        """Follow the path, if there is one."""
        if self._changed:
            raise RuntimeError("it has begun already")
        self._begin(changed)
        self._changed = changed

    def stop(self) -> None:
        """Follow no more; the path is remembered."""
        self._changed = None
        if self._part:
            self._part.stop()
            self._part = None

    def aim(self, path: str) -> None:
        """Follow `path` from now on, and none if it is empty. Aim before looking, so that nothing is missed."""
        if path == self._path:
            return
        changed = self._changed
        self.stop()
        self._path = path
        if changed:
            self.start(changed)

    def _begin(self, changed: Callable[[], None]) -> None:
        if self._path:
            part = self._watch(self._path)
            part.start(changed)
            self._part = part
