"""What the keyboard and the mouse do, and the words on the page that say so."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Key(NamedTuple):
    """A key.

    Attributes:
        label: what it does, in words.
        key: as viser names it.
        modifier: that is held with it.
        does: what it does.
    """

    label: str
    key: str
    modifier: str | None
    does: Callable[[], object]


MOUSE = (
    ("drag a ring", "move the joint"),
    ("click a ring", "hold, select, let go"),
    ("drag arrows", "along one axis"),
    ("drag beside", "look around"),
    ("right drag", "shift the view"),
    ("click a body", "edit that one"),
)


def bind(gui: Any, keys: tuple[Key, ...]) -> None:
    """Let keys do things; they are in the page's list of commands too."""
    for key in keys:
        command = gui.add_command(key.label, hotkey=key.key, modifier=key.modifier)

        def triggered(event: Any, key: Key = key) -> None:
            key.does()

        command.on_trigger(triggered)


def help_text(keys: tuple[Key, ...]) -> str:
    """The help as HTML: the mouse in one column, the keys in another."""
    mouse = "".join(_row(what, does) for what, does in MOUSE)
    pressed = "".join(_row(_pressed(key), key.label) for key in keys)
    table = '<table style="border-spacing:0;font-size:10.5px;line-height:1.3">'
    return (
        f'<div style="display:flex;align-items:flex-start;gap:14px;margin:2px 10px 6px">'
        f"{table}{mouse}</table>{table}{pressed}</table></div>"
    )


def _pressed(key: Key) -> str:
    return f"{key.modifier.title()}+{key.key}" if key.modifier else key.key


def _row(what: str, does: str) -> str:
    return f'<tr><td style="padding:0 6px 0 0;white-space:nowrap;font-weight:600">{what}</td><td>{does}</td></tr>'
