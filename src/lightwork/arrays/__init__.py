"""Array families: where an array's bytes, blocks and padding lie. `hashing` and `parcel` stand on it.

The parts are imported on first use, which is when there is an array.
"""

from typing import TYPE_CHECKING

from ..system.optional import on_first_use

if TYPE_CHECKING:
    from . import blocks, padding, selection

__all__ = ["blocks", "padding", "selection"]

__getattr__ = on_first_use(__name__, parts=__all__)
