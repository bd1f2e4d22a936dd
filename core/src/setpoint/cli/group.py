"""The group of all commands: their names and summaries, without importing any of them."""

import gc
from importlib import import_module
from typing import TYPE_CHECKING

import click

from setpoint import __version__
from setpoint.cli.installed import installed
from setpoint.errors import suggest

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SUMMARIES = {
    "run": "Bring this machine into the declared state, and keep it there.",
    "apply": "Bring this machine into the declared state, then exit.",
    "plan": "Show what a run would change, without changing anything.",
    "check": "Check graph files, without looking at the machine.",
    "graph": "Draw what depends on what.",
    "status": "Show how the engine that runs is doing, or how the last one did.",
    "explain": "Show what happened to a resource and why.",
    "reload": "Have the engine that runs load its graph files again.",
    "history": "List the graphs that were taken over, or show what was different.",
    "rollback": "Go back to the graph files of an earlier graph.",
    "world": "Show what hosts and graphs share.",
    "kinds": "List the kinds of resources that are installed.",
    "facts": "List what can be known of this machine, or tell what an expression over it is.",
    "doc": "Explain a kind: its params, what it sends, an example.",
    "convert": "Rewrite a graph file of mgmt in our form.",
    "init": "Write a first graph file, ready for an editor.",
    "fmt": "Format graph files; comments stay.",
    "schema": "Print a JSON Schema of graph files, for editors.",
    "stubs": "Write stubs of the kinds, for Python programs.",
    "completion": "Print what makes a shell complete this command.",
}
EPILOG = """\b
Examples:
  setpoint plan site.yaml        what would change?
  setpoint apply site.yaml       change it, and exit
  setpoint run site.yaml         change it, and keep it so
  setpoint doc file              what can a file have?
"""


class Commands(click.Group):
    """Our commands, then those of plugins; a module is imported when its command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return [*SUMMARIES, *sorted(installed().commands().keys() - SUMMARIES.keys())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name, imported now; None if there is none.

        Raises:
            PluginError: the plugin that brings it is broken.

        """
        if cmd_name in SUMMARIES:
            module = import_module(f"setpoint.cli.{cmd_name}")
            if not gc.isenabled():  # by `main`, for as long as modules are imported
                gc.freeze()
                gc.enable()
            command: click.Command = module.command
            return command
        if cmd_name in installed().commands():
            return installed().command(cmd_name)  # type: ignore[no-any-return]
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is called, or say which may have been meant."""
        name = args[0]
        if not name.startswith("-") and name not in (known := self.list_commands(ctx)):
            hint = suggest(name, known)
            ctx.fail(f"there is no command {name!r}" + (f"; {hint}" if hint else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl(self._summaries(ctx))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Return the commands, or options, that begin with `incomplete`."""
        from click.shell_completion import CompletionItem

        options = click.Command.shell_complete(self, ctx, incomplete)
        named = [pair for pair in self._summaries(ctx) if pair[0].startswith(incomplete)]
        return [*(CompletionItem(name, help=text) for name, text in named), *options]

    def _summaries(self, ctx: click.Context) -> list[tuple[str, str]]:
        plugins = installed().commands()
        return [
            (name, SUMMARIES.get(name) or f"(from {plugins[name].distribution})")
            for name in self.list_commands(ctx)
        ]


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def setpoint() -> None:
    """Keep this machine in the state that graph files declare."""
