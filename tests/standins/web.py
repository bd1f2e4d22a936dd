"""A stand-in for a web server: says which configuration it has read, at its start and at each hangup."""

import os
import signal
import socket
import sys


def load():
    with open(sys.argv[1]) as file, open("/run/web.said", "a") as said:
        said.write(f"{os.getpid()} {' '.join(file.read().split())}\n")


def tell(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.sendto(text, os.environ["NOTIFY_SOCKET"])


signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
load()
tell(b"READY=1")
while signal.sigwait({signal.SIGHUP}):
    load()
