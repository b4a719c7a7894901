"""The command line: one file per command; a command reads its options, calls one task and shows what returns."""

from unveil.cli.app import main as main
