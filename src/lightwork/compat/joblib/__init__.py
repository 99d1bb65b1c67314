"""joblib's face: its names, defaults and corner cases, on lightwork."""

from .compressor import register_compressor
from .hashing import hash
from .logger import Logger, PrintTime
from .numpy_pickle import dump, load

__all__ = ["Logger", "PrintTime", "dump", "hash", "load", "register_compressor"]
