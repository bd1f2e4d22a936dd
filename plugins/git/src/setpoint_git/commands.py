"""git, run so that it asks nothing, runs nothing of others, and reads no configuration but that of the checkout."""

import os
import pwd
from shlex import quote
from typing import TYPE_CHECKING, NamedTuple

from setpoint import Refused
from setpoint.processes import Completed, ProcessEnded
from setpoint_git.params import local_path

if TYPE_CHECKING:
    from setpoint_git import Git

# What a repository says may be run; and what would go on after git has ended.
CONFIGURATION = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "credential.helper=",
    "protocol.ext.allow=never",
    "gc.autoDetach=false",
    "submodule.recurse=false",
    "advice.detachedHead=false",
    "http.lowSpeedLimit=100",
    "http.lowSpeedTime=60",
)
SSH = "ssh -o BatchMode=yes -o ConnectTimeout=30 -o ServerAliveInterval=20"
REMOTE = "git:http:https:ssh"
# git trusts a repository of another user only if it is told so; whose it is was looked at before.
UPLOAD = "--upload-pack=git -c safe.directory=* upload-pack"


class Account(NamedTuple):
    """The user who runs git."""

    uid: int
    gid: int
    home: str

    @classmethod
    def of(cls, name: str) -> "Account":
        """Return the user called `name`, or us if it is empty.

        Raises:
            Refused: there is none.

        """
        try:
            found = pwd.getpwnam(name) if name else pwd.getpwuid(os.geteuid())
        except KeyError:
            if not name:
                return cls(os.geteuid(), os.getegid(), "/")
            raise Refused(
                f"user must be one of this host, not {name!r}", "create it first"
            ) from None
        if os.geteuid() not in (0, found.pw_uid):
            raise Refused(f"only root may run git as user {name!r}", "run as root")
        return cls(found.pw_uid, found.pw_gid, found.pw_dir)


class Commands:
    """Runs git for one resource, in one directory.

    Args:
        resource: whose.
        directory: absolute.

    """

    def __init__(self, resource: "Git", directory: str) -> None:
        self._resource, self._directory = resource, directory
        self.account = Account.of(resource.user)

    async def __call__(self, *words: str) -> str:
        """Return what git says to `words`.

        Raises:
            ProcessEnded: its exit code is not 0.

        """
        done = await self.run(*words)
        if done.code != 0:
            raise ProcessEnded(f"git {words[0]}", "must exit with 0", done)
        return done.stdout

    async def run(self, *words: str) -> Completed:
        """Return how git ended that was run with `words`."""
        options = [word for one in (*CONFIGURATION, self._trust) for word in ("-c", one)]
        return await self._resource.host.processes.run(
            ["git", *options, "-C", self._directory, *words],
            limit=1 << 24,
            env=self._environment,
            user=self._resource.user or None,
        )

    async def succeeds(self, *words: str) -> bool:
        """Whether git exits with 0."""
        return (await self.run(*words)).code == 0

    @property
    def upload(self) -> list[str]:
        """What goes before a source that is on this machine."""
        return [UPLOAD] if local_path(self._resource.source) else []

    @property
    def _trust(self) -> str:
        return f"safe.directory={self._directory}"

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "LC_ALL": "C",
            "HOME": self.account.home,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "true",  # says nothing, which is a wrong password
            "GIT_OPTIONAL_LOCKS": "0",  # a look writes nothing
            "GIT_ALLOW_PROTOCOL": f"{REMOTE}:file" if local_path(self._resource.source) else REMOTE,
            "GIT_SSH_COMMAND": self._ssh,
            "GIT_SSH_VARIANT": "ssh",
        }

    @property
    def _ssh(self) -> str:
        """The command for ssh, which git gives to a shell; ssh itself splits a list of files at blanks."""
        words = SSH
        if key := self._resource.key:
            words += f" -o IdentitiesOnly=yes -i {quote(key)}"
        if file := self._resource.host_keys:
            option = f'UserKnownHostsFile="{file}"'
            words += f" -o StrictHostKeyChecking=yes -o {quote(option)}"
        return words
