"""How the site is built: `make docs`. Nothing is fetched while it is built, and every warning is an error."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_extensions")]

import lightwork  # noqa: E402 - found where it is installed

project = "lightwork"
author = "The lightwork developers"
copyright = "the lightwork developers"
version = release = lightwork.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "defaults", "notebook", "results"]
exclude_patterns = ["_extensions"]
source_suffix = {".md": "markdown"}

html_theme = "furo"
html_title = f"lightwork {release}"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_show_sphinx = False

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist"]
suppress_warnings = ["myst.header"]  # files that are included begin with their own title

default_role = "py:obj"
maximum_signature_line_length = 90
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_type_aliases = {"Compress": "Compress", "FileFormat": "FileFormat", "MmapMode": "MmapMode"}
autodoc_default_options = {"exclude-members": "__new__, __init__"}
napoleon_numpy_docstring = True
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = ["Source"]

# Text blocks without a language are output; nothing in them is coloured.
highlight_language = "text"
