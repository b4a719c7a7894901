"""How the documentation is built: `make docs`, without a network and without a warning."""

import sys
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "extensions")]

project = "Unveil"
author = "the authors of Unveil"
copyright = author
release = version = import_module("unveil").__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "drawn_math", "plain_docstrings",
              "command_help", "recipe_keys"]  # fmt: skip
exclude_patterns = ["_build", "figures", "extensions", "images"]
html_math_renderer = "drawn"
html_theme = "furo"
html_title = "Unveil"
html_copy_source = False
html_show_sphinx = False
html_static_path = ["static"]
html_css_files = ["style.css"]
pygments_style = "friendly"
pygments_dark_style = "monokai"

myst_enable_extensions = ["dollarmath", "deflist"]
smartquotes = False  # would make one dash of the two that begin an option
myst_heading_anchors = 3

default_role = "code"
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
napoleon_use_ivar = True  # attributes are told once, in the class's own text
napoleon_numpy_docstring = False
suppress_warnings = ["ref.python"]  # a class may be found under the name of its room and of its file
