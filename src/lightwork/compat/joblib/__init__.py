"""joblib's face: its names, defaults and corner cases, on lightwork."""

from . import backports, disk, func_inspect, hashing, logger, memory
from ._store_backends import StoreBackendBase, register_store_backend
from .hashing import hash
from .logger import Logger, PrintTime
from .memory import MemorizedResult, Memory, expires_after

__all__ = [
    "Logger",
    "MemorizedResult",
    "Memory",
    "PrintTime",
    "StoreBackendBase",
    "backports",
    "disk",
    "expires_after",
    "func_inspect",
    "hash",
    "hashing",
    "logger",
    "memory",
    "register_store_backend",
]
