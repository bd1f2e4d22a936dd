"""Examples of live graphs that take their parts from elsewhere: modules, secrets, and other hosts."""

import os
import re
import sys
import time
from pathlib import Path

import pytest

LIVE = Path(__file__).parents[1] / "examples/live"
SETPOINT = Path(sys.executable).with_name("setpoint")
ON_A_HOST = ("unshare", "--uts", "sh", "-c", 'hostname "$0"; exec "$@"')
AT_ONCE = 2.0  # seconds; it takes a twentieth of that, but the machine of a test may be busy


def configured(example):
    """Return the ports of the sites that are configured, by name."""
    paths = (example.demo / "conf").glob("*.conf")
    return {path.stem: path.read_text().split()[1].rstrip(";") for path in paths}


def test_there_is_a_module_for_each_site(example):
    example.say("sites", "blog 8001\nshop 8002\n")
    running = example.run("sites")
    assert configured(example) == {"blog": "8001", "shop": "8002"}
    assert example.read("blog/index.html") == "<h1>blog</h1>\n"
    for text, sites in (
        ("shop 8002\n", {"shop": "8002"}),  # one goes
        ("shop 9000\n", {"shop": "9000"}),  # one changes
        ("shop 9000\nblog 8001\nwiki 8003\n", {"shop": "9000", "blog": "8001", "wiki": "8003"}),
    ):
        began = time.monotonic()
        example.say("sites", text)
        running.event("Changed", "exec reload the web server")
        running.event("Converged", failed=0, blocked=0)
        assert time.monotonic() - began < AT_ONCE
        assert configured(example) == sites
        assert example.read("reloaded").split() == sorted(f"{name}.conf" for name in sites)
    assert example.read("blog/index.html") == "<h1>blog</h1>\n"  # pages stay


def test_a_configuration_follows_a_secret_that_nobody_sees(example):
    def give(secret):
        new = example.demo / "new"
        new.touch(0o600)
        new.write_text(f"{secret}\n")
        new.rename(example.demo / "run/secrets/database")

    running = example.run("secret")
    assert not (example.demo / "app.conf").exists()
    os.makedirs(example.demo / "run/secrets")
    for secret in ("hunter22-first", "swordfish-second"):
        began = time.monotonic()
        give(secret)
        running.event("Refreshed", "exec reload")
        assert time.monotonic() - began < AT_ONCE
        assert example.read("app.conf") == f"url = postgresql://app:{secret}@db.example/app\n"
    assert (example.demo / "app.conf").stat().st_mode & 0o777 == 0o600
    ended = running.stop()
    assert ended.code == 0
    for secret in ("hunter22-first", "swordfish-second"):
        assert secret not in ended.said
        files = [path for path in example.place.state.rglob("*") if path.is_file()]
        assert not [path for path in files if secret.encode() in path.read_bytes()]


@pytest.mark.root
def test_hosts_find_each_other(example):
    kept, addresses = example.place, {"web1": "8081", "web2": "8082"}
    (kept.home / "web1").mkdir()
    running = {}
    for name, port in addresses.items():
        state = kept.home / name
        if name != "web1":  # they share a world: here it is a file, which is the same one
            state.mkdir()
            (state / "world.db").symlink_to(kept.home / "web1/world.db")
        file = kept.home / f"{name}.yaml"
        text = (LIVE / "backends.yaml").read_text().replace("8080", port)
        file.write_text(text.replace("/tmp/setpoint-demo", str(example.demo / name)))
        command = (SETPOINT, "run", "--json", "--prefix", state, file)
        running[name] = kept.spawn(*ON_A_HOST, name, *map(str, command))
        running[name].event("Converged", failed=0)
        known = list(addresses)[: len(running)]
        for seen in running:
            wanted = [f"server {one} :{addresses[one]};" for one in known]
            path = example.demo / seen / "backends.conf"
            while [
                re.sub(r" \S*:", " :", line) for line in path.read_text().splitlines()
            ] != wanted:
                running[seen].event("Changed", f"file {path}")
