"""Functions whose results are kept: a call that was made before costs microseconds.

``memory`` is the face, ``cached`` how a call travels; ``keeper`` stores and rebuilds values, ``flights`` lets
one of many callers compute; ``limits``, ``facts``, ``options`` and ``validity`` decide without any I/O.

The names are imported on first use, and so is `limits`, which cleaning up alone needs.
"""

from typing import TYPE_CHECKING

from ..system.optional import on_first_use

if TYPE_CHECKING:
    from . import limits
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
    "limits",
]

__getattr__ = on_first_use(
    __name__,
    parts=__all__,
    names={
        "CachedFunction": "cached",
        "CallStats": "stats",
        "MemorizedResult": "shelved",
        "Memory": "memory",
        "NotMemorizedResult": "shelved",
        "UncachedFunction": "uncached",
        "expires_after": "validity",
    },
)
