"""Compression of a file as a whole, as ``gzip`` does it, so that other programs can open the file.

Blocks inside our own container are another matter (`lightwork.parcel.codecs`). The parts are imported on
first use: an uncompressed file needs the table of endings alone.
"""

from typing import TYPE_CHECKING

from ...system.optional import on_first_use

if TYPE_CHECKING:
    from . import streams

__all__ = ["streams"]

__getattr__ = on_first_use(__name__, parts=__all__)
