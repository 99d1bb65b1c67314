"""Pictures of figures: HTML that stands alone, for a browser, and a part of it for a notebook.

What is drawn is handed over as numbers and texts; nothing here knows whose they are. Pure, but for `save`.

===========  =============================================================================
`markup`     elements; texts are escaped, whatever they hold
`document`   a whole page with its style, script and data; a fragment for a notebook; saving
`parts`      headline figures, shares of a whole, tables
`timeline`   what ran when: a canvas to zoom in, its data, and a small drawing without script
`charts`     figures over time
===========  =============================================================================

``style.css`` and ``timeline.js`` are files of the package and are copied into each page.
"""

from typing import TYPE_CHECKING

from ..system.optional import on_first_use

if TYPE_CHECKING:
    from . import charts, document, markup, parts, timeline

__all__ = ["charts", "document", "markup", "parts", "timeline"]

__getattr__ = on_first_use(__name__, parts=__all__)
