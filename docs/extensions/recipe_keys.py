"""The directive `recipe-keys`: every part of a recipe with its keys, defaults and meaning, from the schema itself."""

import re
from typing import Any, get_args

from docutils import nodes
from docutils.parsers.rst import Directive
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from sphinx.application import Sphinx

from unveil.recipes.schema import Recipe


def parts(spec: type[BaseModel]) -> list[type[BaseModel]]:
    """A spec and those inside it, each once."""
    found = [spec]
    for field in spec.model_fields.values():
        for inner in specs_in(field.annotation):
            found += [part for part in parts(inner) if part not in found]
    return found


def specs_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [spec for inner in get_args(annotation) for spec in specs_in(inner)]


def accepted(field: FieldInfo) -> str:
    """What a key takes, in a few words."""
    text = re.sub(r"Annotated\[(\w+).*", r"\1", str(field.annotation).replace("typing.", ""))
    if "Literal" in text:
        return " or ".join(re.findall(r"'([^']+)'", str(field.annotation))) or text
    return "" if specs_in(field.annotation) else re.sub(r"<class '(\w+)'>", r"\1", text).replace(" | None", "")


def told(spec: type[BaseModel], name: str, field: FieldInfo) -> str:
    """What is said of a key: its meaning, what it takes, its default."""
    inner = [part.__name__ for part in specs_in(field.annotation)]
    kinds = accepted(field) if "'" in str(field.annotation) else ""
    words = [field.description or "", f"One of {', '.join(inner)}" if len(inner) > 1 else "".join(inner), kinds]
    default = field.default
    if not field.is_required() and not isinstance(default, BaseModel) and default not in (None, {}):
        words.append(f"default {list(default) if isinstance(default, tuple) else default}")
    text = "; ".join(word for word in words if word)
    return text[:1].upper() + text[1:] + "." if text else ""


class RecipeKeys(Directive):
    def run(self) -> list[nodes.Node]:
        return [self.section(spec) for spec in parts(Recipe)]

    def section(self, spec: type[BaseModel]) -> nodes.section:
        section = nodes.section(ids=[f"keys-{spec.__name__.lower()}"], names=[f"keys {spec.__name__}"])
        kind = spec.model_fields.get("kind")
        section += nodes.title("", f"{spec.__name__} (kind: {get_args(kind.annotation)[0]})" if kind else spec.__name__)
        section += nodes.paragraph("", (spec.__doc__ or "").partition("\n\n")[0].replace("`", ""))
        entries = nodes.definition_list()
        for name, field in spec.model_fields.items():
            if name == "kind":
                continue
            entry = nodes.definition_list_item()
            entry += nodes.term("", "", nodes.literal("", name))
            entry += nodes.definition("", nodes.paragraph("", told(spec, name, field)))
            entries += entry
        if entries.children:
            section += entries
        return section


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("recipe-keys", RecipeKeys)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
