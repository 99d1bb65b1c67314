"""Why a call is a hit or a miss, from what a store keeps."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .. import memory, parcel
from ..errors import EntryMissing
from ..hashing.files import kept_file
from ..protocols import Limits, Store, SupportsCounters, SupportsNotes, SupportsVerification, supports
from .facts import Metadata, read_facts
from .made import facts_of, note_of, paths_of, read_note
from .reasons import NOTHING_KEPT, Explanation, explain_miss, how_long
from .ttl import expiry

if TYPE_CHECKING:
    from ..hashing.calls import CallKey, CallKeys
    from .keeper import Keeper
    from .options import Options

__all__ = ["explain"]

_COMPARED = 1000
"""Results that a call is compared with. Reading the facts of so many takes a few milliseconds."""

_NAMED = 3
"""Functions of the same name that are told."""

_FULL = 0.75
"""Share of its limit at which a cache may have evicted something: what the store needs itself counts too."""


def explain(
    keeper: "Keeper",
    keys: "CallKeys",
    call: "CallKey",
    options: "Options",
    arguments: Mapping[str, Any],  # Any: of users' functions
) -> Explanation:
    """Whether `call` would be a hit, and why.

    Nothing is changed; all bytes of a kept result are read, and its value is built.

    Parameters
    ----------
    arguments
        Those that count, by name.
    """
    now = time.time()
    store = keeper.store
    if any(True for _ in store.scan(call.key)):
        facts = next(iter(_recent(store, call.key, 1)), None)
        fault = _invalid(facts, options, now) or _unreadable(store, call.key)
        if fault:
            return Explanation(False, f"its result is kept, {fault}")
        ago = f", computed {how_long(now - facts['time'])} ago in {facts['duration']:.3g} s" if facts else ""
        late = expiry(facts, options.ttl, now) if facts else ""
        late = late and f", {late}; a call returns it, and has it computed anew"
        return Explanation(True, f"its result is kept{ago}{late}")
    arrived = keeper.arrivals.time(call.key)
    if arrived is not None:
        cause = _evicted(options.limits)
        return Explanation(False, f"its result was kept {how_long(now - arrived)} ago, and is gone: {cause}")
    if not supports(store, SupportsNotes):
        return Explanation(False, f"its result is not kept; {store!r} keeps no notes to tell more from")
    found = _compared(store, keys, call, arguments, now)
    full = _full(store, options.limits)
    return found._replace(changes=(*found.changes, full)) if full else found


def _invalid(facts: Metadata | None, options: "Options", now: float) -> str:
    """Why a result that is kept is not valid; empty if it is."""
    if facts is not None:
        expired = expiry(facts, options.ttl, now)
        if expired and not (options.stale and memory.stale.is_stale(facts, options.ttl, options.stale, now)):
            return expired
    if options.is_valid is not None and not (facts and options.is_valid(facts)):
        return "and cache_validation_callback does not accept it"
    for path, by, state in facts.get("files", ()) if facts else ():
        try:
            kept_file(path, by, bytes.fromhex(state))
        except EntryMissing as exc:
            return f"but {exc}"
    return ""


def _unreadable(store: Store, key: bytes) -> str:
    """Why a result that is kept cannot be read; empty if it can."""
    record = store.verified(key) if supports(store, SupportsVerification) else store.get(key)
    if record is None:
        return "and damaged: not all of its bytes are what was kept"
    try:
        parcel.parcels.join(record.skeleton, record.buffers)
    except Exception as exc:  # noqa: BLE001 - building a value runs users' code, which may have changed since
        return f"and cannot be read any more ({type(exc).__name__}: {exc})"
    return ""


def _compared(
    store: SupportsNotes, keys: "CallKeys", call: "CallKey", arguments: Mapping[str, Any], now: float
) -> Explanation:
    """How a call differs from those whose results are kept."""
    kept = _recent(store, keys.prefix, _COMPARED)
    if not kept:
        return Explanation(False, NOTHING_KEPT, _namesakes(store, keys.function_id))
    made = {**facts_of(keys, call), "paths": paths_of(arguments)}
    if arguments and any("leaves" in facts for facts in kept):
        made["leaves"] = memory.leaves.leaves_of(arguments, call.tokens)
    return explain_miss(
        made, note_of(keys, call), kept, lambda code: read_note(store, keys.prefix, code), now
    )


def _namesakes(store: SupportsNotes, function_id: str) -> tuple[str, ...]:
    """Functions of the same name elsewhere that have results: most often this one, before it moved."""
    own = function_id.rpartition(":")[2]
    found = {str(facts.get("function", "")) for facts in _recent(store, b"", _COMPARED)} - {function_id}
    alike = sorted(name for name in found if name.rpartition(":")[2] == own)
    if not alike:
        return ()
    more = f" and {len(alike) - _NAMED} more" if len(alike) > _NAMED else ""
    return (
        f"this one is {function_id}; there are results of {', '.join(alike[:_NAMED])}{more}",
        "a function is named by its module, one of a script by the path of that",
    )


def _evicted(limits: Limits | None) -> str:
    """What has removed a result that this process did not remove by name."""
    others = "reduce_size, another process, or somebody who deleted files"
    given = [
        f"{name}={value:g}" for name, value in (limits or Limits())._asdict().items() if value is not None
    ]
    return f"evicted to keep {', '.join(given)}, or removed by {others}" if given else f"removed by {others}"


def _full(store: SupportsNotes, limits: Limits | None) -> str:
    """A word about the results that are not there any more, if there may be such."""
    if limits is None or not supports(store, SupportsCounters):
        return ""
    held = store.totals()
    for name, count, most in (
        ("max_bytes", held.nbytes, limits.max_bytes),
        ("max_items", held.records, limits.max_items),
    ):
        if most is not None and count >= _FULL * most:
            return f"or it was evicted: the cache is full ({count:,} of {name}={most:,})"
    return ""


def _recent(store: object, prefix: bytes, limit: int) -> list[Metadata]:
    found = store.recent(prefix, limit) if supports(store, SupportsNotes) else ()
    return [facts for facts in map(read_facts, found) if "time" in facts and "duration" in facts]
