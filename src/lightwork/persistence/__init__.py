"""Any object in a file, as fast as the disk: `dump`, `load`, `dumps`, `loads`, `inspect`.

The names are imported on first use.
"""

from typing import TYPE_CHECKING

from ..system.optional import on_first_use

if TYPE_CHECKING:
    from .compressors.registry import CompressorWrapper, register_compressor
    from .inspection import Inspection, inspect
    from .loading import load, loads
    from .saving import dump, dumps

__all__ = [
    "CompressorWrapper",
    "Inspection",
    "dump",
    "dumps",
    "inspect",
    "load",
    "loads",
    "register_compressor",
]

__getattr__ = on_first_use(
    __name__,
    names={
        "CompressorWrapper": "compressors.registry",
        "Inspection": "inspection",
        "dump": "saving",
        "dumps": "saving",
        "inspect": "inspection",
        "load": "loading",
        "loads": "loading",
        "register_compressor": "compressors.registry",
    },
)
