"""Array families: where an array's bytes, blocks and padding lie. `hashing` and `parcel` stand on it.

The parts are imported on first use, which is when there is an array.
"""

from typing import TYPE_CHECKING

from ..system.optional import on_first_use

if TYPE_CHECKING:
    from . import arrow, blocks, padding, torch

__all__ = ["arrow", "blocks", "padding", "torch"]

__getattr__ = on_first_use(__name__, parts=__all__)
