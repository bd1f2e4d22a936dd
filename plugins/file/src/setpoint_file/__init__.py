"""The `file` resource: files, directories, symlinks, and their absence."""

from setpoint_file.resource import File

__all__ = ["File"]
