"""What a cache holds, whether it is whole, and what its calls came to."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from ..protocols import (
    FUNCTION_BYTES,
    Entry,
    Store,
    SupportsCounters,
    SupportsNotes,
    SupportsVerification,
    Totals,
    supports,
)
from ..system.mapped import MAPPINGS
from ..system.units import counted
from .counts import Counts
from .facts import Metadata, read_facts
from .history import History, on_the_wall
from .made import read_note
from .reasons import how_long
from .stats import MemoryStats

if TYPE_CHECKING:
    from .keeper import Keeper

__all__ = ["CacheEntry", "Verification", "entries", "facts", "stats_of", "verify"]


class CacheEntry(NamedTuple):
    """One kept result."""

    function: str
    """``module:qualname``; empty if the store cannot tell."""

    call: str
    """The call as text of at most 200 characters; empty if the store cannot tell."""

    nbytes: int
    age: float
    """Seconds since it was written."""

    unused: float
    """Seconds since it was used last; may lag behind."""

    seconds: float
    """How long the call took: what it would cost to be without it."""

    key: bytes

    def __str__(self) -> str:
        call = self.call or self.key.hex()
        return f"{call}: {self.nbytes} bytes, {how_long(self.age)} old, took {self.seconds:.3g} s"


class Verification(NamedTuple):
    """What `verify` found."""

    records: int
    """Results that are whole."""

    nbytes: int
    """Their size."""

    damaged: tuple[CacheEntry, ...]
    """Results that were not, and are removed."""

    def __str__(self) -> str:
        verb, count = "is" if self.records == 1 else "are", len(self.damaged)
        whole = f"{counted(self.records, 'result')} {verb} whole ({counted(self.nbytes, 'byte')})"
        lines = [whole + (f", {count:,} {'was' if count == 1 else 'were'} not" if count else "")]
        return "\n".join([*lines, *(f"  removed {entry}" for entry in self.damaged)])


def entries(store: Store, now: float) -> Iterator[CacheEntry]:
    """All entries of a store, in the order in which it lists them. None of them counts as used."""
    for entry in store.scan():
        yield _described(store, entry, now)


def facts(store: Store, key: bytes) -> Metadata:
    """What is kept about a record, and about the code that made it; nothing if that is not known."""
    found = _facts(store, key)
    code = found.get("code")
    note = read_note(store, key[:FUNCTION_BYTES], code) if isinstance(code, str) else None
    return {**found, "parts": note} if note else found


def verify(store: Store, now: float) -> Verification:
    """Read every record to its last byte, compare it with its digests, and remove what is damaged."""
    records, nbytes, damaged = 0, 0, []
    read = store.verified if supports(store, SupportsVerification) else store.get
    for entry in store.scan():
        if read(entry.key) is not None:
            records, nbytes = records + 1, nbytes + entry.nbytes
            continue
        described = _described(store, entry, now)
        if store.drop([entry.key]):  # else it has gone meanwhile
            damaged.append(described)
    return Verification(records, nbytes, tuple(damaged))


def stats_of(keeper: "Keeper | None") -> MemoryStats:
    """The figures of a store and of the calls of its functions."""
    functions = {} if keeper is None else keeper.ledger.by_function()
    totals = Totals(0, 0) if keeper is None else _totals(keeper.store)
    together = Counts()
    for counts in functions.values():
        together.add(counts)
    figures = {name: counts.stats() for name, counts in functions.items()}
    saved = {name: on_the_wall(counts.course()) for name, counts in functions.items() if counts.hits}
    history = History(None if keeper is None else keeper.store, saved)
    return MemoryStats(together.stats(), figures, *totals, MAPPINGS.count, MAPPINGS.most, history)


def _totals(store: Store) -> Totals:
    if supports(store, SupportsCounters):
        return store.totals()
    sizes = [entry.nbytes for entry in store.scan()]
    return Totals(len(sizes), sum(sizes))


def _described(store: Store, entry: Entry, now: float) -> CacheEntry:
    known = _facts(store, entry.key)
    return CacheEntry(
        function=str(known.get("function", "")),
        call=str(known.get("call", "")),
        nbytes=entry.nbytes,
        age=max(now - entry.written, 0.0),
        unused=max(now - entry.accessed, 0.0),
        seconds=entry.seconds,
        key=entry.key,
    )


def _facts(store: Store, key: bytes) -> Metadata:
    found = store.recent(key, 1) if supports(store, SupportsNotes) else ()
    return read_facts(found[0]) if found else {}
