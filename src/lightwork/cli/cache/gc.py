"""``lightwork cache gc``: what has expired, and what is too much, least recently used first."""

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from datetime import timedelta

from ... import stores
from ...errors import InvalidOption
from ...memory import Memory
from ...memory.entries import CacheEntry
from ...system.units import parse_bytes, parse_seconds
from ..command import USAGE, Command, Refusal
from ..terminal import Terminal
from .opening import add_cache, opened
from .removing import add_removal, remove

__all__ = ["GC"]

DETAILS = """\
Removes the results that were used least recently until all limits hold, and with --expired those whose ttl is
over. Asks first. Memory(max_bytes=...) keeps a limit by itself.

examples:
  lightwork cache gc cache --max-bytes 2GB --max-age '30 days' --dry-run
  lightwork cache gc cache --expired --yes
"""


def _add_arguments(parser: ArgumentParser) -> None:
    add_cache(parser, json="how many were removed, and which")
    parser.add_argument("--max-bytes", metavar="SIZE", help="the most that all results may take: 500M, 2GB")
    parser.add_argument("--max-items", type=int, metavar="N", help="the largest number of results")
    parser.add_argument("--max-age", metavar="SPAN", help="what was not used for longer goes: 12h, '30 days'")
    parser.add_argument("--expired", action="store_true", help="what has a ttl= that is over goes")
    add_removal(parser)


def _run(given: Namespace, terminal: Terminal) -> int:
    if (given.max_bytes, given.max_items, given.max_age) == (None, None, None) and not given.expired:
        raise Refusal(
            "give --max-bytes, --max-items, --max-age or --expired: nothing else is known to go", USAGE
        )
    if given.max_items is not None and given.max_items < 0:
        raise InvalidOption(f"--max-items={given.max_items}: give a number of results, 0 or more")
    max_bytes = None if given.max_bytes is None else parse_bytes(given.max_bytes, name="--max-bytes")
    max_age = None if given.max_age is None else parse_seconds(given.max_age, name="--max-age")
    memory = opened(given)
    entries = memory.entries()
    expired = [entry for entry in entries if given.expired and _is_over(memory, entry)]
    gone = {entry.key for entry in expired}
    gone |= _beyond(memory, gone, max_bytes, given.max_items, max_age)

    def collect() -> int:
        store = memory.store
        count = 0 if store is None else store.drop([entry.key for entry in expired])
        before = memory.stats().records
        age = None if max_age is None else timedelta(seconds=max_age)
        memory.reduce_size(max_bytes, given.max_items, age)
        return count + before - memory.stats().records

    return remove(_those(entries, gone), given, terminal, collect)


def _beyond(
    memory: Memory, gone: set[bytes], max_bytes: int | None, max_items: int | None, max_age: float | None
) -> set[bytes]:
    """The keys of what `Memory.reduce_size` would remove once those in `gone` are gone."""
    if memory.store is None or (max_bytes, max_items, max_age) == (None, None, None):
        return set()
    since = None if max_age is None else time.time() - max_age
    scanned = [entry for entry in memory.store.scan() if entry.key not in gone]
    return set(
        stores.eviction.least_recent(scanned, max_bytes=max_bytes, max_items=max_items, accessed_since=since)
    )


def _those(entries: Sequence[CacheEntry], keys: set[bytes]) -> list[CacheEntry]:
    return [entry for entry in entries if entry.key in keys]


def _is_over(memory: Memory, entry: CacheEntry) -> bool:
    ttl = memory.facts(entry.key).get("ttl")
    return isinstance(ttl, int | float) and entry.age >= ttl


GC = Command("gc", "remove what has expired or is too much", DETAILS, _add_arguments, _run)
