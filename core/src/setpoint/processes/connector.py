"""The kernel's process connector: a message for each process that starts, is renamed or ends.

Source: include/uapi/linux/cn_proc.h, connector.h, netlink.h.
"""

import asyncio
import errno
import os
import socket
import struct
from collections.abc import Callable

CONNECTOR = 11  # NETLINK_CONNECTOR
GROUP = 1  # CN_IDX_PROC, also its CN_VAL_PROC
LISTEN, IGNORE = 1, 2
ANSWER, FORK, EXEC, USER, RENAME, END = 0, 1, 2, 4, 0x200, 0x80000000
HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
ENVELOPE = struct.Struct("=IIIIHH")  # cn_msg: index, value, sequence, acknowledged, length, flags
EVENT = struct.Struct("=IIQ")  # proc_event: what, processor, nanoseconds since boot; then its data
AT = HEADER.size + ENVELOPE.size
DATA = AT + EVENT.size
PAIR = struct.Struct("=II")  # thread, process
BUFFER = 1 << 20  # bytes; some 10,000 events

Told = Callable[[set[int], set[int], bool], None]


class Connector:
    """A socket on which the kernel tells of processes, read on the running loop.

    Args:
        told: is called with the pids that were born or renamed, those that ended, and whether
            events were lost, after all that is there has been read.

    Raises:
        OSError: the kernel does not tell this user, or this container.

    """

    def __init__(self, told: Told) -> None:
        self._told = told
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, CONNECTOR
        )
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
            self._socket.bind((0, GROUP))
            self._ask(LISTEN)
            self._require_answer()
        except OSError:
            self._socket.close()
            raise
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._read)

    def close(self) -> None:
        """Tell the kernel that nobody listens, so that it saves itself the work."""
        self._loop.remove_reader(self._socket)
        self._ask(IGNORE)
        self._socket.close()

    def _ask(self, operation: int) -> None:
        envelope = ENVELOPE.pack(GROUP, GROUP, 0, 0, 4, 0) + struct.pack("=I", operation)
        header = HEADER.pack(HEADER.size + len(envelope), 3, 0, 0, self._socket.getsockname()[0])
        self._socket.send(header + envelope)  # 3 is NLMSG_DONE, the type of a lone message

    def _require_answer(self) -> None:
        """See that the kernel agreed: it answers before `send` returns, or never."""
        while True:
            message = self._socket.recv(4096)  # BlockingIOError, an OSError, if it stays silent
            if EVENT.unpack_from(message, AT)[0] == ANSWER:
                (error,) = struct.unpack_from("=I", message, DATA)
                if error:
                    raise OSError(error, os.strerror(error))
                return

    def _read(self) -> None:
        born: set[int] = set()
        gone: set[int] = set()
        lost = False
        while True:
            try:
                self._sort(self._socket.recv(4096), born, gone)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                lost = True  # the kernel had to drop some
        self._told(born, gone, lost)

    def _sort(self, message: bytes, born: set[int], gone: set[int]) -> None:
        """Add the process that `message` is about to `born` or `gone`; threads are left out."""
        what = EVENT.unpack_from(message, AT)[0]
        if what not in (FORK, EXEC, USER, RENAME, END):
            return
        place = DATA + PAIR.size if what == FORK else DATA  # the parent stands first
        thread, process = PAIR.unpack_from(message, place)
        if thread == process and what == END:
            born.discard(process)
            gone.add(process)
        elif thread == process:
            born.add(process)  # may be in both: the pid was given to another one
