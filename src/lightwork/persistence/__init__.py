"""Any object in a file, as fast as the disk: `dump`, `load`, `dumps`, `loads`, `inspect`."""

from .inspection import Inspection, inspect
from .loading import load, loads
from .saving import dump, dumps

__all__ = ["Inspection", "dump", "dumps", "inspect", "load", "loads"]
