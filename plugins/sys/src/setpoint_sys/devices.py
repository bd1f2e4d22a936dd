"""The kernel's news of devices: added, removed, changed."""

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress

from setpoint import Refused
from setpoint.watching import Subscription
from setpoint_sys.sources import Readable

UDEVD = "/run/udev/control"  # is there while udevd runs
BUFFER = 1 << 22  # bytes of events; some thousand, which plugging in a shelf of disks makes


def libudev() -> None:
    """Import it; that takes 20 ms.

    Raises:
        Refused: it is not installed.

    """
    try:
        import pyudev  # type: ignore[import-untyped]  # noqa: F401 - it has no types
    except ImportError as error:
        raise Refused(f"devices are told by libudev, found {error}", "install libudev1") from None


class Devices(Readable):
    """Tells of devices, by subsystem; use it as `host.shared(Devices)`.

    Where udevd runs, it is heard after its rules: then links and properties are there. Elsewhere the kernel itself is.

    Source: udev_monitor_new_from_netlink(3).
    """

    def of(self, subsystem: str) -> Subscription:
        """Return a subscription to the devices of one subsystem; empty is of all."""
        return self.listen(lambda news: not subsystem or news is None or subsystem in news)

    def connect(self, held: ExitStack) -> int:
        """Return the descriptor of a monitor of libudev."""
        import pyudev

        source = "udev" if os.path.exists(UDEVD) else "kernel"
        self._monitor = pyudev.Monitor.from_netlink(pyudev.Context(), source)
        held.callback(delattr, self, "_monitor")  # which closes it
        with suppress(OSError):  # it takes root; others have the usual size
            self._monitor.set_receive_buffer_size(BUFFER)
        self._monitor.start()
        return self._monitor.fileno()  # type: ignore[no-any-return]

    def drain(self) -> None:
        """Tell of the subsystems that had news; of all if some were lost."""
        try:
            self.tell(set(self._subsystems()))
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            self.tell()

    def _subsystems(self) -> Iterator[str]:
        while (device := self._monitor.poll(0)) is not None:
            yield device.subsystem or ""
