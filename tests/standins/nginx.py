"""A stand-in for nginx: passes on what is asked for, as its configuration says, which a hangup has it read anew."""

import glob
import os
import re
import signal
import socket
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SITES = "/etc/nginx/sites-enabled/*", "/etc/nginx/conf.d/*.conf"
upstreams: dict[int, str] = {}
servers: dict[int, ThreadingHTTPServer] = {}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = self.answer(upstreams[self.server.server_port])
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self, upstream):
        if not upstream:
            return 200, b"Welcome to nginx!\n"
        try:
            connection = HTTPConnection(upstream, timeout=5)
            connection.request("GET", self.path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError:
            return 502, b"Bad Gateway\n"

    def log_message(self, *words):
        pass


def load():
    """Serve what is configured; who is first on a port has it."""
    upstreams.clear()
    for path in (path for pattern in SITES for path in sorted(glob.glob(pattern))):
        with open(path) as file:
            text = file.read()
        upstream = re.search(r"proxy_pass http://([^;]+);", text)
        port = int(re.search(r"listen (\d+)", text)[1])
        upstreams.setdefault(port, upstream[1] if upstream else "")
    for port in set(servers) - set(upstreams):
        server = servers.pop(port)
        server.shutdown()
        server.server_close()
    for port in set(upstreams) - set(servers):
        servers[port] = ThreadingHTTPServer(("", port), Handler)
        threading.Thread(target=servers[port].serve_forever, args=(0.02,), daemon=True).start()


def tell(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.sendto(text, os.environ["NOTIFY_SOCKET"])


signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
load()
tell(b"READY=1")
while signal.sigwait({signal.SIGHUP}):
    load()
