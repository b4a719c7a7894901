"""The directive `command-help`: every command with its arguments and options, as `--help` tells them."""

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx
from typer.main import get_command

from unveil.cli.app import app as commands


def told(parameter) -> str:
    """How an argument or option is written."""
    if parameter.param_type_name == "argument":
        return parameter.metavar or parameter.name.upper() + ("..." if parameter.nargs == -1 else "")
    value = "" if parameter.is_flag else f" {parameter.metavar or parameter.name.upper()}"
    return ", ".join(parameter.opts) + value


def verbs(group, before: str = ""):
    """All commands with their names, those of groups among them."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from verbs(command, f"{before}{name} ")
        else:
            yield before + name, command


class CommandHelp(Directive):
    def run(self) -> list[nodes.Node]:
        return [self.section(name, command) for name, command in verbs(get_command(commands))]

    def section(self, name: str, command) -> nodes.section:
        section = nodes.section(ids=[f"unveil-{name.replace(' ', '-')}"], names=[f"unveil {name}"])
        section += nodes.title("", f"unveil {name}")
        section += nodes.paragraph("", command.help)
        entries = nodes.definition_list()
        for parameter in command.params:
            if not parameter.help:
                continue
            default = parameter.default
            has = default not in (None, False, ()) and not callable(default) and parameter.param_type_name == "option"
            entry = nodes.definition_list_item()
            entry += nodes.term("", "", nodes.literal("", told(parameter)))
            entry += nodes.definition(
                "", nodes.paragraph("", parameter.help.replace("`", "") + (f" Default: {default}." if has else ""))
            )
            entries += entry
        section += entries
        example = command.epilog.removeprefix("Example: ")
        section += nodes.literal_block(example, f"$ {example}", language="console")
        return section


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
