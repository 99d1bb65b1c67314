"""Files, processes, memory and time, without policy. The named parts are imported on first use."""

from typing import TYPE_CHECKING

from .optional import on_first_use

if TYPE_CHECKING:
    from . import atomic, hints, units

__all__ = ["atomic", "hints", "units"]

__getattr__ = on_first_use(__name__, parts=("atomic", "hints", "units"))
