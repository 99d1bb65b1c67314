"""The keys of the cached calls that the running code is inside of.

A cached call that asks for one of them would wait for itself, so it computes at once. The variable follows
`contextvars`: whoever runs part of a call in another thread or process carries it there.
"""

from contextvars import ContextVar

__all__ = ["COMPUTING"]

COMPUTING: ContextVar[frozenset[bytes]] = ContextVar("lightwork_computing", default=frozenset())
