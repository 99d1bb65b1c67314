"""Any object in a file, as fast as the disk: `dump`, `load`, `dumps`, `loads`, `open`, `inspect`.

The names are imported on first use.
"""

from typing import TYPE_CHECKING

from ..system.optional import on_first_use

if TYPE_CHECKING:
    from . import foreign, keyed, picture, safe
    from .compressors.registry import CompressorWrapper, register_compressor
    from .inspection import Inspection, inspect, verify
    from .loading import load, loads
    from .opening import OpenedFile, open
    from .safe.registered import register_safe
    from .saving import dump, dumps
    from .views import LazyArray, Parts

__all__ = [
    "CompressorWrapper",
    "Inspection",
    "LazyArray",
    "OpenedFile",
    "Parts",
    "dump",
    "dumps",
    "foreign",
    "inspect",
    "keyed",
    "load",
    "loads",
    "open",
    "picture",
    "register_compressor",
    "register_safe",
    "safe",
    "verify",
]

__getattr__ = on_first_use(
    __name__,
    parts=["foreign", "keyed", "picture", "safe"],
    names={
        "CompressorWrapper": "compressors.registry",
        "Inspection": "inspection",
        "LazyArray": "views",
        "OpenedFile": "opening",
        "Parts": "views",
        "dump": "saving",
        "dumps": "saving",
        "inspect": "inspection",
        "load": "loading",
        "loads": "loading",
        "open": "opening",
        "register_compressor": "compressors.registry",
        "register_safe": "safe.registered",
        "verify": "inspection",
    },
)
