"""A value as a skeleton and buffers, and the file format that holds them (``docs/format.md``).

The parts are imported on first use: who loads a file does not need the writer, and who caches results
needs neither.
"""

from typing import TYPE_CHECKING

from ..system.optional import on_first_use

if TYPE_CHECKING:
    from . import (
        asked,
        codecs,
        facts,
        gather,
        inputs,
        layout,
        outline,
        outputs,
        packed,
        parcels,
        pickling,
        reader,
        segments,
        sources,
        variables,
        writer,
    )

__all__ = [
    "asked",
    "codecs",
    "facts",
    "gather",
    "inputs",
    "layout",
    "outline",
    "outputs",
    "packed",
    "parcels",
    "pickling",
    "reader",
    "segments",
    "sources",
    "variables",
    "writer",
]

__getattr__ = on_first_use(__name__, parts=__all__)
