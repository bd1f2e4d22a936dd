"""A stand-in for a database server: it knows databases, who may use them, and how many may come at once.

Who connects to its socket says what is wanted in the words of SQL, or "LOGIN database user password", and gets an
answer of one line.
"""

import os
import re
import socket

DATA, SOCKET = "/var/lib/mysql", "/run/mysqld/mysqld.sock"


def connections():
    with open("/etc/mysql/mariadb.conf.d/50-server.cnf") as file:
        found = re.search(r"(?m)^max_connections\s*=\s*(\d+)", file.read())
    return found[1] if found else "151"


def answer(asked):
    if login := re.match(r"LOGIN (\w+) (\w+) (\S+)", asked):
        try:
            with open(f"{DATA}/{login[1]}/{login[2]}") as file:
                known = file.read()
        except FileNotFoundError:
            return "ERROR no such user"
        return f"welcome, one of {limit}" if known == login[3] else "ERROR access denied"
    for database in re.findall(r"CREATE DATABASE IF NOT EXISTS (\w+);", asked):
        os.makedirs(f"{DATA}/{database}", exist_ok=True)
    grant = r"GRANT ALL ON (\w+)\.\* TO (\w+)@localhost IDENTIFIED BY '(\S+)';"
    for database, user, password in re.findall(grant, asked):
        with open(f"{DATA}/{database}/{user}", "w") as file:
            file.write(password)
    return "ok"


limit = connections()
for directory in (DATA, os.path.dirname(SOCKET)):
    os.makedirs(directory, exist_ok=True)
if os.path.exists(SOCKET):
    os.unlink(SOCKET)
server = socket.socket(socket.AF_UNIX)
server.bind(SOCKET)
os.chmod(SOCKET, 0o777)
server.listen()
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
    manager.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
while True:
    with server.accept()[0] as client, client.makefile("rw") as stream:
        stream.write(answer(stream.read()))
