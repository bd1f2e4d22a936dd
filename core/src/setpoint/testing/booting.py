"""The first process of a container for tests: it makes the container, and becomes its systemd.

A program of its own, run as `python -I booting.py DIRECTORY CGROUP SYSFS PATH...`. It moves into the cgroup, makes
namespaces, and forks: the child is PID 1 in there, builds a / and executes systemd. The parent waits, and if it is
killed the kernel kills PID 1, and with that all that runs in there.

The new / is an overlay of the present one, so that all installed programs are there and whatever is written is gone
with it. What would reach the kernel that all share is masked: a booting systemd sets sysctls, loads modules and empties
/tmp. Works in a chroot whose / is no mount point too, where unshare(1) and pivot_root(8) give up.

Source: namespaces(7), pivot_root(2), mount_setup() in systemd's src/shared/mount-setup.c,
https://systemd.io/CONTAINER_INTERFACE.
"""

import ctypes
import os
import signal
import sys

RDONLY, NOSUID, NODEV, NOEXEC = 1, 2, 4, 8  # mount(2)
REMOUNT, BIND, RECURSIVE, PRIVATE = 1 << 5, 1 << 12, 1 << 14, 1 << 18
FS, MOUNT, CGROUP, UTS = 1 << 9, 1 << 17, 1 << 25, 1 << 26  # unshare(2)
IPC, PID, NET = 1 << 27, 1 << 29, 1 << 30
DETACH, PR_SET_PDEATHSIG = 2, 1  # umount2(2), prctl(2)
SYSTEMD = "/usr/lib/systemd/systemd"
NODES = ("null", "zero", "full", "random", "urandom", "tty")
MASKED = """
    systemd-sysctl.service systemd-modules-load.service modprobe@.service systemd-binfmt.service
    proc-sys-fs-binfmt_misc.automount systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service
    systemd-tmpfiles-setup-dev-early.service systemd-tmpfiles-clean.service systemd-tmpfiles-clean.timer
    systemd-remount-fs.service systemd-udev-trigger.service systemd-hwdb-update.service systemd-random-seed.service
    systemd-pstore.service systemd-update-utmp.service systemd-firstboot.service systemd-sysusers.service
    systemd-journal-flush.service systemd-timesyncd.service systemd-networkd.service dev-hugepages.mount
    dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount
    sys-fs-fuse-connections.mount getty@.service serial-getty@.service console-getty.service
"""
# What is enabled on this machine, and programs that make units of its disks and init scripts, at each reload.
EMPTY = ("/etc/systemd/system", "/etc/systemd/user", "/usr/lib/systemd/system-generators")
UNITS = {
    "default.target": """
        [Unit]
        DefaultDependencies=no
        AllowIsolate=yes
        Wants=dbus.socket dbus.service systemd-journald.socket booted.service
    """,
    "booted.service": """
        [Unit]
        DefaultDependencies=no
        Requires=dbus.service
        After=dbus.service
        [Service]
        Type=oneshot
        RemainAfterExit=yes
        ExecStart=/bin/touch /run/booted
    """,
}

libc = ctypes.CDLL(None, use_errno=True)


def main(directory: str, cgroup: str, sysfs: str, *paths: str) -> None:
    """Boot a systemd.

    Args:
        directory: an empty one to work in; its `console` gets what systemd prints.
        cgroup: the directory of a cgroup (version 2) that is for the container.
        sysfs: "rw", so that udevd starts when something wants it, or "ro".
        paths: directories that are bound, read-only, if the overlay of / has them not.

    """
    done(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
    os.setsid()
    write(os.path.join(cgroup, "cgroup.procs"), "0")
    done(libc.unshare(MOUNT | CGROUP | UTS | IPC | PID | NET))
    if pid := os.fork():
        print(pid, flush=True)  # noqa: T201 - for who started this
        os.waitpid(pid, 0)
        return
    done(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
    keep_mounts_private()
    root = make_root(directory)
    make_kernel_files(root, sysfs)
    make_devices(root, directory)
    for path in paths:
        if not os.path.exists(root + path):
            bind(path, root + path)
    move_into(root)
    environment = {
        "container": "setpoint",
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
    }
    options = ("--system", "--log-target=console", "--log-level=notice", "--show-status=no")
    os.execve(SYSTEMD, [SYSTEMD, *options], environment)


def done(result: int) -> None:
    """Raise the error of a call into libc."""
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Attach a file system, as the system call of this name; `target` is made if it is missing."""
    os.makedirs(target, exist_ok=True)
    call = [text.encode() or None for text in (source, target, kind)]
    if libc.mount(*call, ctypes.c_ulong(flags), data.encode() or None) < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{os.strerror(code)}: mount {kind or source}", target)


def bind(source: str, target: str, *, writable: bool = False) -> None:
    """Show a directory or a file at a second place, read-only if it is not to be `writable`."""
    if not os.path.isdir(source):
        write(target, "")
        if libc.mount(source.encode(), target.encode(), None, ctypes.c_ulong(BIND), None) < 0:
            raise OSError(ctypes.get_errno(), "cannot be bound", target)
        return
    mount(source, target, flags=BIND | RECURSIVE)
    mount(source, target, flags=BIND | REMOUNT | (0 if writable else RDONLY))


def write(path: str, text: str) -> None:
    """Write a file, whose directory is made if it is missing."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def leave_chroot() -> None:
    """Go to the / of the mount namespace, which is a mount point; a chroot's need not be one."""
    namespace = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    done(libc.setns(namespace, MOUNT))
    os.close(namespace)


def keep_mounts_private() -> None:
    """See to it that no mount from here on is seen by who is outside."""
    here = os.open("/", os.O_RDONLY)
    leave_chroot()
    mount("none", "/", flags=RECURSIVE | PRIVATE)
    os.fchdir(here)
    os.chroot(".")
    os.close(here)


def make_root(directory: str) -> str:
    """Return the new /: an overlay of the present one that has only our units enabled."""
    mount("tmpfs", directory + "/disk", "tmpfs", data="mode=755")
    upper, work, root = (f"{directory}/disk/{name}" for name in ("upper", "work", "root"))
    units = upper + "/etc/systemd/system"
    os.makedirs(units)
    os.makedirs(work)
    os.setxattr(
        units, "trusted.overlay.opaque", b"y"
    )  # what is enabled on this machine is not in here
    for name, text in UNITS.items():
        write(f"{units}/{name}", "\n".join(line.strip() for line in text.splitlines()))
    for name in MASKED.split():
        os.symlink("/dev/null", f"{units}/{name}")
    write(upper + "/etc/machine-id", os.urandom(16).hex() + "\n")
    write(upper + "/etc/hostname", "setpoint\n")
    mount("overlay", root, "overlay", data=f"lowerdir=/,upperdir={upper},workdir={work}")
    return root


def make_kernel_files(root: str, sysfs: str) -> None:
    """Mount what the kernel shows, of the new namespaces; what is common to all is read-only."""
    safe = NOSUID | NODEV | NOEXEC
    mount("tmpfs", root + "/tmp", "tmpfs", NOSUID | NODEV, "mode=1777")
    mount("tmpfs", root + "/run", "tmpfs", NOSUID | NODEV, "mode=755")
    os.makedirs(root + "/run/lock")
    mount("proc", root + "/proc", "proc", safe)
    bind(root + "/proc/sys", root + "/proc/sys")
    bind(root + "/proc/sys/net", root + "/proc/sys/net", writable=True)
    mount("sysfs", root + "/sys", "sysfs", safe | (RDONLY if sysfs == "ro" else 0))
    mount("cgroup2", root + "/sys/fs/cgroup", "cgroup2", safe)


def make_devices(root: str, directory: str) -> None:
    """Make a /dev with the nodes that every program expects; the kernel's log is not in it."""
    dev = root + "/dev"
    mount("tmpfs", dev, "tmpfs", NOSUID, "mode=755")
    for name in NODES:
        bind("/dev/" + name, f"{dev}/{name}", writable=True)
    bind("/dev/null", dev + "/kmsg")
    bind(directory + "/console", dev + "/console")
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        os.symlink("/proc/self/fd" + target, f"{dev}/{name}")
    mount(
        "devpts", dev + "/pts", "devpts", NOSUID | NOEXEC, "newinstance,ptmxmode=666,mode=620,gid=5"
    )
    os.symlink("pts/ptmx", dev + "/ptmx")
    mount("tmpfs", dev + "/shm", "tmpfs", NOSUID | NODEV, "mode=1777")


def move_into(root: str) -> None:
    """Make `root` the / of the mount namespace, in which nothing else is left."""
    new = os.open(root, os.O_RDONLY)
    leave_chroot()
    os.fchdir(new)
    os.close(new)
    done(libc.pivot_root(b".", b"."))
    done(libc.umount2(b".", DETACH))  # the old one, which is on top of the new one now
    os.chdir("/")


if __name__ == "__main__":
    main(*sys.argv[1:])
