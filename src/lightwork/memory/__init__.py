"""Functions whose results are kept: a call that was made before costs microseconds.

``memory`` is the face, ``cached`` how a call travels; ``keeper`` stores and rebuilds values, ``flights`` lets
one of many callers compute; ``limits``, ``facts``, ``options`` and ``validity`` decide without any I/O.
"""

from .cached import CachedFunction
from .memory import Memory
from .shelved import MemorizedResult, NotMemorizedResult
from .stats import CallStats
from .uncached import UncachedFunction
from .validity import expires_after

__all__ = [
    "CachedFunction",
    "CallStats",
    "MemorizedResult",
    "Memory",
    "NotMemorizedResult",
    "UncachedFunction",
    "expires_after",
]
