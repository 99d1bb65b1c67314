"""What is kept about a call beside its result: a few figures and a short text, as JSON."""

import json
from typing import Any, TypeAlias

__all__ = ["Metadata", "read_facts", "write_facts"]

Metadata: TypeAlias = "dict[str, Any]"  # Any: text or number, by name
"""``duration`` (s), ``time`` (s since the epoch), ``function``, ``call`` (at most 200 characters)."""


def write_facts(facts: Metadata) -> bytes:
    """The facts as bytes."""
    return json.dumps(facts, separators=(",", ":")).encode()


def read_facts(data: bytes) -> Metadata:
    """The facts from their bytes; nothing if those are of another kind."""
    try:
        facts = json.loads(data)
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}
