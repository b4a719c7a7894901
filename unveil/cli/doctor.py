"""`unveil doctor`: is this machine ready?"""

import typer

from unveil.cli.console import stdout

_SIGNS = {"good": "[green]good[/]", "note": "[yellow]note[/]", "bad": "[red]bad[/]"}


def doctor() -> None:
    """Look over this machine, and tell what is missing or would be slow."""
    from rich.markup import escape
    from rich.table import Table

    from unveil.tasks.doctor import doctor as doctor_task

    findings = doctor_task()
    table = Table.grid(padding=(0, 2))
    for finding in findings:
        table.add_row(_SIGNS[finding.state], escape(finding.subject), escape(finding.detail))
    stdout().print(table)
    if any(finding.state == "bad" for finding in findings):
        raise typer.Exit(1)
