"""Functions whose results are kept: a call that was made before costs microseconds.

``memory`` is the face, ``cached`` how a call travels; ``keeper`` stores and rebuilds values, ``flights`` lets
one of many callers compute; ``limits``, ``facts``, ``options``, ``reasons`` and ``validity`` decide without
any I/O. What a key is ``made`` of is kept with each result: ``explain`` tells from it why a call found none.

The names are imported on first use, and so are parts that a hit does not need.
"""

from typing import TYPE_CHECKING

from ..system.optional import on_first_use

if TYPE_CHECKING:
    from . import (
        asynchronous,
        backends,
        basis,
        bounds,
        compression,
        course,
        entries,
        explain,
        history,
        hot,
        kinds,
        leaves,
        limits,
        made,
        methods,
        picture,
        plan,
        reasons,
        signing,
        sizes,
        stale,
        ttl,
        validity,
    )
    from .backends import register_store_backend
    from .cached import CachedFunction
    from .memory import Memory
    from .reasons import Explanation
    from .shelved import MemorizedResult, NotMemorizedResult
    from .stats import CallStats
    from .uncached import UncachedFunction
    from .validity import expires_after

__all__ = [
    "CachedFunction",
    "CallStats",
    "Explanation",
    "MemorizedResult",
    "Memory",
    "NotMemorizedResult",
    "UncachedFunction",
    "asynchronous",
    "backends",
    "basis",
    "bounds",
    "compression",
    "course",
    "entries",
    "expires_after",
    "explain",
    "history",
    "hot",
    "kinds",
    "leaves",
    "limits",
    "made",
    "methods",
    "picture",
    "plan",
    "reasons",
    "register_store_backend",
    "signing",
    "sizes",
    "stale",
    "ttl",
    "validity",
]

__getattr__ = on_first_use(
    __name__,
    parts=__all__,
    names={
        "CachedFunction": "cached",
        "CallStats": "stats",
        "Explanation": "reasons",
        "MemorizedResult": "shelved",
        "Memory": "memory",
        "NotMemorizedResult": "shelved",
        "UncachedFunction": "uncached",
        "expires_after": "validity",
        "register_store_backend": "backends",
    },
)
