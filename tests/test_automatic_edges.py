"""Which edges follow from the kinds that there are."""

import random
import time
from pathlib import Path

import pytest

from setpoint import autoedges, graphfile
from setpoint.graph import Graph, Rule
from setpoint.plugins import Plugins
from setpoint_exec import Exec
from setpoint_file import File
from setpoint_group import Group
from setpoint_user import User

SITE = """\
resources:
  pkg setpoint-web:
  user web:
    groups: [www]
    homedir: /srv/web
    create_home: true
  group www:
  file /srv/:
    state: exists
  file /srv/web/site/:
    owner: web
    group: www
  file /srv/web/site/index.html:
    source: /srv/index
  file /srv/index:
    content: hello
  file /usr/local/bin/deploy:
    content: "#!/bin/sh"
  file /etc/setpoint-web/conf:
    content: port = 80
  file /etc/setpoint-web/default:
    state: absent
  exec web-index:
    mtimes: [/srv/index]
  exec deploy now:
    user: web
    cwd: /srv/web/site
  line port:
    path: /etc/setpoint-web/conf
    line: port = 81
  file /etc/systemd/system/setpoint-web.service:
    content: "[Service]"
  svc setpoint-web:
    state: running
"""
EXPECTED = """\
group www -> user web (a group that it is in)
file /srv/ -> user web (the directory of its home)
user web -> file /srv/web/site/ (its parent directory)
group www -> file /srv/web/site/ (its group)
file /srv/web/site/ -> file /srv/web/site/index.html (its parent directory)
file /srv/index -> file /srv/web/site/index.html (its content comes from there)
file /srv/ -> file /srv/index (its parent directory)
pkg setpoint-web -> file /etc/setpoint-web/conf (the package that owns it)
pkg setpoint-web -> file /etc/setpoint-web/default (the package that owns it)
pkg setpoint-web -> line port (the package that owns its file)
file /srv/index -> exec web-index (a file that it follows)
file /usr/local/bin/deploy -> exec deploy now (a program that it runs)
file /srv/web/site/ -> exec deploy now (where it runs)
user web -> exec deploy now (the user it runs as)
file /etc/setpoint-web/conf -> line port (the file it is in)
pkg setpoint-web ~> svc setpoint-web (what has its unit file)
file /etc/systemd/system/setpoint-web.service ~> svc setpoint-web (its unit file)
"""


def load(tmp_path: Path, text: str) -> Graph:
    path = tmp_path / "site.yaml"
    path.write_text(text)
    return graphfile.load([path], Plugins())


def shown(graph: Graph) -> set[str]:
    return {
        f"{edge.first} {'~>' if edge.notify else '->'} {edge.then} ({edge.origin})"
        for edge in graph.edges.values()
        if isinstance(edge.origin, Rule)
    }


def test_a_site_is_ordered_by_what_its_parts_are(tmp_path):
    graph = load(tmp_path, SITE)
    assert shown(graph) == set(EXPECTED.splitlines())
    assert graph.warnings == []
    graph.order()


@pytest.mark.parametrize("where", ["defaults", "run"])
def test_they_can_be_switched_off(tmp_path, where):
    text = SITE
    if where == "defaults":
        text += "defaults:\n  file:\n    meta: {autoedge: false}\n"
        assert not [edge for edge in shown(load(tmp_path, text)) if "file " in edge]
        return
    (tmp_path / "site.yaml").write_text(text)
    graph = graphfile.load([tmp_path / "site.yaml"], Plugins(), automatic=False)
    assert graph.edges == {}


def above(path: str) -> list[str]:
    parts = path.strip("/").split("/")
    return ["/" + "/".join(parts[:length]) for length in range(len(parts) - 1, 0, -1)]


def expected(resources: list[File | User | Group | Exec]) -> set[tuple[str, str]]:
    """The edges, as one would find them with pencil and paper."""
    users = {r.name: r.id for r in resources if isinstance(r, User)}
    groups = {r.name: r.id for r in resources if isinstance(r, Group)}
    directories = {r.at: r.id for r in resources if isinstance(r, File) and r.is_directory}
    files = {r.at: r.id for r in resources if isinstance(r, File)}
    found = set()
    for r in resources:
        if isinstance(r, File):
            found |= {(directories[p], r.id) for p in above(r.at) if p in directories and r} and {
                next((directories[p], r.id) for p in above(r.at) if p in directories)
            }
            found |= {(users[r.owner], r.id)} if r.owner in users else set()
            found |= {(groups[r.group], r.id)} if r.group in groups else set()
        elif isinstance(r, User):
            wanted = {r.group or r.name, *(r.groups or ())} & groups.keys()
            found |= {(groups[name], r.id) for name in wanted}
        elif isinstance(r, Exec):
            found |= {(users[r.user], r.id)} if r.user in users else set()
            found |= {(files[r.cmd], r.id)} if r.cmd in files else set()
    return {(first, then) for first, then in found if first != then}


@pytest.mark.parametrize("seed", range(10))
def test_500_edges_of_a_drawn_graph_are_those_of_a_simple_model(seed):
    random_ = random.Random(seed)
    names = [f"n{number}" for number in range(40)]
    resources: dict[str, File | User | Group | Exec] = {}
    while len(resources) < 500:
        path = "/" + "/".join(random_.choices("abcd", k=random_.randint(1, 7)))
        name = random_.choice(names)
        match random_.randrange(8):
            case 0:
                one: File | User | Group | Exec = User(
                    name, groups=tuple(random_.sample(names, 2)), create_home=False
                )
            case 1:
                one = Group(name)
            case 2:
                one = Exec(f"e{len(resources)}", cmd=path, user=random_.choice(names))
            case _:
                slash, owner = random_.choice(["/", ""]), random_.choice(["", name])
                one = File(f"f{len(resources)}", path=path + slash, owner=owner, group=name)
                if any(isinstance(r, File) and r.at == one.at for r in resources.values()):
                    continue  # of two that provide the same thing the first counts
        resources.setdefault(one.id, one)
    graph = Graph()
    graph.add(*resources.values())
    autoedges.connect(graph)
    assert graph.warnings == []
    assert len(graph.edges) >= 500
    assert set(graph.edges) == expected(list(resources.values()))


def test_10000_files_with_deep_parents_are_connected_at_once(tmp_path):
    paths = ["/srv/" + "/".join("abcdefghij"[: n % 11]) + f"/{n}" for n in range(10_000)]
    graph = Graph()
    graph.add(File("/srv/", state="exists"), *(File(path, content="x") for path in paths))
    began = time.process_time()
    autoedges.connect(graph)
    assert time.process_time() - began < 1  # a tenth of that, but the machine of a test may be busy
    assert len(graph.edges) == 10_000
