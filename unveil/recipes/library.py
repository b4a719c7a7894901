"""The recipes that come with the package, and the text of any recipe. Imports the standard library only."""

from importlib.resources import files
from pathlib import Path

from unveil.core.errors import ConfigError
from unveil.core.files import RECIPE_FILE
from unveil.recipes.choices import near


def names() -> list[str]:
    """The names of the recipes that come with the package."""
    return sorted(Path(file.name).stem for file in files(__package__).iterdir() if file.name.endswith(".yaml"))


def text_of(recipe: str | Path) -> str:
    """The text of a recipe: one of the package by its name, a file, or the one of a run folder.

    Raises:
        ConfigError: there is no such recipe; near names are suggested.
    """
    path = Path(recipe)
    if str(recipe) in names():
        return files(__package__).joinpath(f"{recipe}.yaml").read_text("utf-8")
    if path.is_dir():
        path = path / RECIPE_FILE
        if not path.is_file():
            raise ConfigError(f"The folder {recipe} holds no {RECIPE_FILE}, so it is no run and has no recipe.")
    if path.is_file():
        try:
            return path.read_text("utf-8")
        except UnicodeDecodeError:
            raise ConfigError(f"{path} is not text, so it is no recipe.") from None
    if path.suffix in (".yaml", ".yml"):
        raise ConfigError(f"There is no recipe file {path}.")
    raise ConfigError(f"There is no recipe '{recipe}'{near(str(recipe), names())} `unveil recipes` lists them all.")


def summary(name: str) -> str:
    """The first line of a recipe's header: what it is."""
    return text_of(name).partition("\n")[0].removeprefix("#").strip()
