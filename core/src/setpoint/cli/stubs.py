"""`setpoint stubs`: what type checkers and editors are to know of the kinds, for Python programs."""

import sys
from pathlib import Path

import click

from setpoint.cli.installed import installed
from setpoint.errors import PluginError

EPILOG = """\b
Examples:
  setpoint stubs                 into typings/, where pyright looks by itself
  setpoint stubs --out stubs     elsewhere

\b
For mypy, in pyproject.toml:
  [tool.mypy]
  mypy_path = "typings"
"""


@click.command(epilog=EPILOG)
@click.option(
    "--out",
    type=click.Path(file_okay=False),
    default="typings",
    help="Write them into this directory, which is made if it is missing; by default typings.",
)
def command(out: str) -> None:
    """Write stubs of the installed kinds, for programs that import setpoint.kinds.

    By them a type checker finds wrong kinds, params, values and sent fields, and an editor completes and explains them.
    Kinds that are installed later are in them when they are written anew.
    """
    package = Path(out, "setpoint")
    package.mkdir(parents=True, exist_ok=True)
    _replace(package / "kinds.pyi", stub_text())
    # mypy takes a module from there only if it is in a package: this one is what the package is.
    _replace(package / "__init__.pyi", Path(sys.modules["setpoint"].__file__ or "").read_text())
    click.echo(f"{package}: written", err=True)


def stub_text() -> str:
    """Return the stub of what is installed; what is broken is left out, which is said on stderr."""
    from setpoint.program.stubs import stub

    kinds = {}
    for name in installed().kinds():
        try:
            kinds[name] = installed().kind(name)
        except PluginError as error:
            click.echo(f"{click.style('warning:', fg='yellow', bold=True)} {error}", err=True)
    return stub(kinds)


def _replace(path: Path, text: str) -> None:
    with click.open_file(str(path), "w", encoding="utf-8", atomic=True) as file:
        file.write(text)
