"""Why a call is a hit or a miss, from what a store keeps."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import EntryMissing
from ..hashing.files import kept_file
from ..protocols import Store, SupportsNotes, SupportsVerification
from .facts import Metadata, read_facts
from .made import facts_of, note_of, read_note
from .reasons import Explanation, explain_miss, how_long
from .ttl import expiry

if TYPE_CHECKING:
    from ..hashing.calls import CallKey, CallKeys

__all__ = ["explain"]

_COMPARED = 1000
"""Results that a call is compared with. Reading the facts of so many takes a few milliseconds."""


def explain(
    store: Store,
    keys: "CallKeys",
    call: "CallKey",
    is_valid: Callable[[Metadata], bool] | None,
    *,
    ttl: float | None = None,
) -> Explanation:
    """Whether `call` would be a hit, and why. Nothing is changed; all bytes of a kept result are read."""
    now = time.time()
    if any(True for _ in store.scan(call.key)):
        facts = _recent(store, call.key, 1)
        expired = expiry(facts[0], ttl, now) if facts else ""
        if expired:
            return Explanation(False, expired)
        if is_valid is not None and not (facts and is_valid(facts[0])):
            return Explanation(False, "its result is kept, and cache_validation_callback does not accept it")
        for path, by, state in facts[0].get("files", ()) if facts else ():
            try:
                kept_file(path, by, bytes.fromhex(state))
            except EntryMissing as exc:
                return Explanation(False, f"its result is kept, but {exc}")
        if isinstance(store, SupportsVerification) and store.verified(call.key) is None:
            return Explanation(
                False, "its result is kept, and damaged: not all of its bytes are what was kept"
            )
        ago = how_long(now - facts[0]["time"]) if facts else ""
        age = f", computed {ago} ago in {facts[0]['duration']:.3g} s" if facts else ""
        return Explanation(True, f"its result is kept{age}")
    if not isinstance(store, SupportsNotes):
        return Explanation(False, f"its result is not kept; {store!r} keeps no notes to tell more from")
    kept = _recent(store, keys.prefix, _COMPARED)
    note = note_of(keys, call)
    return explain_miss(facts_of(keys, call), note, kept, lambda code: read_note(store, keys, code), now)


def _recent(store: Store, prefix: bytes, limit: int) -> list[Metadata]:
    found = store.recent(prefix, limit) if isinstance(store, SupportsNotes) else ()
    return [facts for facts in map(read_facts, found) if "time" in facts and "duration" in facts]
