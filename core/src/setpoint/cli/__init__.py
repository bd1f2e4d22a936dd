"""The command `setpoint`: a group, and one module for each of its nouns, imported when it is used.

`group` knows the names of all commands, those of plugins too, without importing any. `options` has what several
commands take. `session` runs an engine for `run` and `apply`; `words` and `screen` are what it says, and where. `later`
makes the start shorter.
"""

import gc
import os
import sys

from setpoint.errors import GraphError, PluginError, SetpointError


def main() -> None:
    """Run the command with the arguments of this process; never returns.

    What a person or the author of a plugin can set right is said without a traceback, with exit code 1.
    """
    _open_standard()
    gc.disable()  # what is imported stays; looking through it again and again is a tenth of a start
    from setpoint.cli.later import load_later

    load_later()
    from setpoint.cli.group import setpoint
    from setpoint.cli.output import STDOUT, print_rest, set_up, unwritten

    set_up()
    try:
        setpoint(prog_name="setpoint")
    except GraphError as error:  # begins with the place
        sys.exit(str(error))
    except (SetpointError, PluginError) as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.filename != STDOUT:
            raise
        sys.exit(f"error: cannot write the output: {unwritten(error)}")
    finally:
        print_rest()


def _open_standard() -> None:
    """Lead what is closed of stdin, stdout and stderr nowhere; otherwise a file of ours takes its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - it stays open
