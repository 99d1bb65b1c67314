"""joblib's face: its names, defaults and corner cases, on lightwork."""

from . import backports, disk, func_inspect, hashing, logger, memory
from ._store_backends import StoreBackendBase, register_store_backend
from .compressor import register_compressor
from .hashing import hash
from .logger import Logger, PrintTime
from .memory import MemorizedResult, Memory, expires_after
from .numpy_pickle import dump, load

__all__ = [
    "Logger",
    "MemorizedResult",
    "Memory",
    "PrintTime",
    "StoreBackendBase",
    "backports",
    "disk",
    "dump",
    "expires_after",
    "func_inspect",
    "hash",
    "hashing",
    "load",
    "logger",
    "memory",
    "register_compressor",
    "register_store_backend",
]
