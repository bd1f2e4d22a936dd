"""Which params go together, checked before anything is looked at; one that is still to be received is well."""

import os
import re
from typing import TYPE_CHECKING

from setpoint import ParamError

if TYPE_CHECKING:
    from setpoint_mount.resource import Mount


def validate(mount: "Mount") -> None:
    """See that the params of `mount` go together.

    Raises:
        ParamError: two do not, or one is not what it may be.

    """
    name = mount.name
    if name[:1] != "/" or re.search(r"[\n\0]", name) or name.startswith("//"):
        raise ParamError("name", f"must be the absolute path of a directory, not {name!r}")
    if os.path.normpath(name) != name:
        cure = f"write {os.path.normpath(name)}"
        raise ParamError("name", f"must have no . or .. and no slash too many, not {name!r}", cure)
    if name == "/" and mount.state != "mounted":
        raise ParamError("state", f"must be mounted for /, not {mount.state!r}")
    if mount.state == "mounted" and mount.device == "":
        raise ParamError("device", "must be given", "of tmpfs and its like any word will do")
    for param in ("device", "type"):
        value = getattr(mount, param)
        if isinstance(value, str) and re.search(r"[\n\0]", value):
            raise ParamError(param, f"must be one line, not {value!r}")
    _validate_options(mount)


def _validate_options(mount: "Mount") -> None:
    if not isinstance(mount.options, tuple):
        return
    for option in mount.options:
        if not option or re.search(r"[,\n\0]", option):
            rule = f"must be one option each, not {option!r}"
            raise ParamError("options", rule, "write a list: [noatime, size=64M]")
        if option == "remount":
            raise ParamError("options", "must not have remount", "it is done when options differ")
