"""`setpoint completion`: what makes a shell complete the command."""

import click

EPILOG = """\b
Examples:
  eval "$(setpoint completion bash)"                              in ~/.bashrc
  eval "$(setpoint completion zsh)"                               in ~/.zshrc
  setpoint completion fish > ~/.config/fish/completions/setpoint.fish
"""


@click.command(epilog=EPILOG)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print what makes SHELL complete commands, options, kinds and files."""
    from click.shell_completion import get_completion_class

    completer = get_completion_class(shell)
    assert completer is not None  # these three are click's own
    group = ctx.find_root().command
    click.echo(completer(group, {}, "setpoint", "_SETPOINT_COMPLETE").source())
