"""Array families: where an array's bytes, blocks and padding lie. `hashing` and `parcel` stand on it.

`sightings`: memory that is known again; `snapshots`: what it held at a moment.

The parts are imported on first use, which is when there is an array.
"""

from typing import TYPE_CHECKING

from ..system.optional import on_first_use

if TYPE_CHECKING:
    from . import arrow, blocks, padding, selection, sightings, snapshots, torch

__all__ = ["arrow", "blocks", "padding", "selection", "sightings", "snapshots", "torch"]

__getattr__ = on_first_use(__name__, parts=__all__)
