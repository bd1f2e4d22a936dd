"""What packages bring: the files and units that dpkg knows to be theirs, or those that are likely."""

import os
from collections.abc import Iterator
from functools import lru_cache

from setpoint import Thing
from setpoint_pkg.dpkg import ADMIN

INFO = f"{ADMIN}/info"
OF_NO_INTEREST = tuple(
    f"/usr/share/{name}/" for name in ("doc", "icons", "lintian", "locale", "man")
)
LIKELY = ("/etc", "/usr/bin", "/usr/sbin")  # where there may be something by the name of a package
SERVER = "-server"  # mariadb-server, openssh-server: mostly brings a unit without it in its name
MERGED = ("/bin/", "/lib/", "/sbin/")
UNITS = ("/lib/systemd/system", "/usr/lib/systemd/system")
SHARED = frozenset(  # directories that many packages own, and none in particular
    "/. /bin /boot /etc /lib /opt /sbin /srv /usr /var /etc/alternatives /etc/apt /etc/cron.d /etc/cron.daily "
    "/etc/cron.hourly /etc/cron.monthly /etc/cron.weekly /etc/default /etc/init.d /etc/ld.so.conf.d /etc/logrotate.d "
    "/etc/modprobe.d /etc/pam.d /etc/profile.d /etc/sudoers.d /etc/sysctl.d /etc/systemd /etc/systemd/system "
    "/etc/udev /etc/udev/rules.d /etc/xdg /usr/bin /usr/games /usr/include /usr/lib /usr/libexec /usr/local /usr/sbin "
    "/usr/share /usr/share/doc /usr/share/man /usr/src /var/cache /var/lib /var/log /var/spool".split()
)


def brings(name: str) -> Iterator[Thing]:
    """Yield what such a package mostly brings, by itself or by what it depends on, and what it is known to own."""
    bare = name.partition(":")[0]
    for unit in dict.fromkeys((bare, bare.removesuffix(SERVER))):
        yield Thing("unit", f"{unit}.service")
    for directory in LIKELY:
        yield Thing("owned", f"{directory}/{bare}")
    yield from _things(_listed(name))


def _listed(name: str) -> list[str]:
    """Return the paths that dpkg has noted as those of a package, parents before what is in them."""
    try:
        file = _files(os.stat(INFO).st_mtime_ns).get(name)
    except FileNotFoundError:
        return []
    if file is None:
        return []
    with open(f"{INFO}/{file}", encoding="utf-8", errors="replace") as lines:
        return lines.read().splitlines()


@lru_cache(maxsize=1)
def _files(modified: int) -> dict[str, str]:
    """Return the files with paths by package, also by its bare name; read again if `modified` is another time."""
    files = {}
    for file in os.listdir(INFO):
        if file.endswith(".list"):
            name = file.removesuffix(".list")
            files[name] = file
            files.setdefault(name.partition(":")[0], file)
    return files


def _things(listed: list[str]) -> Iterator[Thing]:
    """Yield the paths, files and directories, and the units among them."""
    parents = {os.path.dirname(path) for path in listed}
    for path in listed:
        if path in SHARED or path.startswith(OF_NO_INTEREST):
            continue
        yield Thing("owned", path)
        if path.startswith(MERGED):
            yield Thing(
                "owned", f"/usr{path}"
            )  # dpkg knows it by where it was before /usr was merged
        if os.path.dirname(path) in UNITS and path not in parents:
            yield Thing("unit", os.path.basename(path))
