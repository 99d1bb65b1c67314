"""What is kept about a call beside its result: a few figures and a short text, as JSON."""

from functools import cache
from typing import Any, TypeAlias

from ..system.optional import on_demand

__all__ = ["LEAVES_AFTER", "TTL", "Metadata", "read_facts", "write_facts"]

Metadata: TypeAlias = dict[str, Any]  # Any: text or number, by name
"""``duration`` (s), ``time`` (s since the epoch), ``function``, ``call`` (at most 200 characters),
and what the key was made of: ``args`` (digests by name), ``code`` (a number), ``paths`` (of
arguments that are a `File`, by name). ``ttl`` (s) if the result
lives for a span of time only."""

TTL = b'"ttl":'
"""What is in the bytes of facts that have a ``ttl``, so that a hit need not read any other."""

LEAVES_AFTER = 0.1
"""Seconds that a call must take for the `leaves` of its arguments to be kept: those of a small configuration
take 0.3 ms, the most that are looked at 10 ms."""


def write_facts(facts: Metadata) -> bytes:
    """The facts as bytes."""
    text: str = _encoder().encode(facts)
    return text.encode()


@cache
def _encoder() -> Any:  # Any: of a module that a hit never needs
    """Made once: `json.dumps` with separators makes one for each call, which takes as long as its work."""
    return on_demand("json").JSONEncoder(separators=(",", ":"))


def read_facts(data: bytes) -> Metadata:
    """The facts from their bytes; nothing if those are of another kind."""
    try:
        facts = on_demand("json").loads(data.decode())  # which need not guess the encoding
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}
