"""`unveil recipes`: what can be trained."""

from typing import Annotated

import typer

from unveil.cli.console import stdout
from unveil.recipes.library import names, summary, text_of


def recipes(name: Annotated[str | None, typer.Argument(help="Print this recipe.", show_default=False)] = None) -> None:
    """List the recipes, or print one to start your own from."""
    console = stdout()
    if name is not None:
        console.print(text_of(name), markup=False, end="")
        return
    width = max(map(len, names()))
    for known in names():
        console.print(f"[bold]{known:<{width}}[/]  {summary(known)}")
