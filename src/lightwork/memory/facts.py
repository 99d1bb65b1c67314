"""What is kept about a call beside its result: a few figures and a short text, as JSON."""

from typing import Any, TypeAlias

from ..system.optional import on_demand

__all__ = ["LEAVES_AFTER", "Metadata", "may_expire", "read_facts", "write_facts"]

Metadata: TypeAlias = dict[str, Any]  # Any: text or number, by name
"""``duration`` (s), ``time`` (s since the epoch), ``function``, ``call`` (at most 200 characters),
and what the key was made of: ``args`` (digests by name), ``code`` (a number). ``ttl`` (s) if the result
lives for a span of time only."""

LEAVES_AFTER = 0.1
"""Seconds that a call must take for the `leaves` of its arguments to be kept: those of a small configuration
take 0.3 ms, the most that are looked at 10 ms."""

_TTL = b'"ttl":'


def write_facts(facts: Metadata) -> bytes:
    """The facts as bytes."""
    text: str = on_demand("json").dumps(facts, separators=(",", ":"))  # a hit reads no facts
    return text.encode()


def read_facts(data: bytes) -> Metadata:
    """The facts from their bytes; nothing if those are of another kind."""
    try:
        facts = on_demand("json").loads(data.decode())  # which need not guess the encoding
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}


def may_expire(facts: bytes) -> bool:
    """Whether facts have to be read for their ``ttl``. A text search, for the path of a hit: 0.05 µs."""
    return _TTL in facts
