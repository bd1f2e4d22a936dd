"""An application: its page says what the database says to the password in its configuration."""

import re
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

with open(sys.argv[1]) as configuration:
    config = dict(re.findall(r"(\w+) = (\S+)", configuration.read()))


def login():
    with socket.socket(socket.AF_UNIX) as server:
        server.connect("/run/mysqld/mysqld.sock")
        server.sendall(f"LOGIN {config['database']} notes {config['password']}".encode())
        server.shutdown(socket.SHUT_WR)
        return server.makefile().read()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            said = login()
        except OSError as error:
            said = f"ERROR {error}"
        self.send_response(500 if said.startswith("ERROR") else 200)
        self.end_headers()
        self.wfile.write(f"notes: {said}\n".encode())

    def log_message(self, *words):
        pass


host, _, port = config["listen"].partition(":")
ThreadingHTTPServer((host, int(port)), Handler).serve_forever()
