"""Which results a command is about, and in which order. Pure but for the declaration of arguments."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from ...errors import InvalidOption
from ...memory.entries import CacheEntry
from ...protocols import FUNCTION_BYTES
from ...system.units import parse_bytes, parse_seconds

__all__ = [
    "ORDERS",
    "Selection",
    "add_order",
    "add_selection",
    "called",
    "find",
    "ordered",
    "row_of",
    "selected",
    "selection_of",
    "short",
]

ORDERS = {
    "age": lambda entry: entry.age,
    "unused": lambda entry: entry.unused,
    "size": lambda entry: -entry.nbytes,
    "cost": lambda entry: -entry.seconds,
    "function": lambda entry: (entry.function, entry.call),
}
"""What each order puts first: the newest, those used last, the largest, the dearest, and A before B."""

_SHORT = 12
_LEAST_DIGITS = 4


class Selection(NamedTuple):
    """Bounds of the results that are meant; ``None``: no bound."""

    functions: tuple[str, ...] = ()
    """Patterns, of which one has to match."""

    older: float | None = None
    newer: float | None = None
    unused: float | None = None
    """Seconds since they were written, or used last."""

    larger: int | None = None
    smaller: int | None = None
    """Bytes."""

    slower: float | None = None
    faster: float | None = None
    """Seconds that the call took."""

    @property
    def is_all(self) -> bool:
        """Whether nothing is asked for."""
        return self == Selection()


def add_selection(parser: ArgumentParser) -> None:
    """The options that narrow down what is meant."""
    group = parser.add_argument_group("which results (all that is given has to hold)")
    group.add_argument(
        "--function",
        dest="functions",
        action="append",
        default=[],
        metavar="PATTERN",
        help="of this function: module:name, name, or a pattern such as 'model.*'; may be repeated",
    )
    for name, metavar, words in (
        ("older", "SPAN", "written longer ago: 90s, 12h, '7 days'"),
        ("newer", "SPAN", "written less long ago"),
        ("unused", "SPAN", "not used for so long"),
        ("larger", "SIZE", "of more bytes: 500K, 1.5GB"),
        ("smaller", "SIZE", "of fewer bytes"),
        ("slower", "SPAN", "whose call took longer"),
        ("faster", "SPAN", "whose call took less long"),
    ):
        group.add_argument(f"--{name}", metavar=metavar, help=words)


def add_order(parser: ArgumentParser, default: str, limit: int | None = None) -> None:
    """The options that put results in order."""
    parser.add_argument("--sort", choices=tuple(ORDERS), default=default, help=f"default: {default}")
    parser.add_argument("--reverse", action="store_true", help="the other way round")
    parser.add_argument("-n", "--limit", type=int, default=limit, metavar="N", help="the first N only")


def selection_of(given: Namespace) -> Selection:
    """What the options ask for.

    Raises
    ------
    InvalidOption
        One is no span of time, or no size.
    """

    def span(name: str) -> float | None:
        text = getattr(given, name)
        return None if text is None else parse_seconds(_number(text), name=f"--{name}")

    def size(name: str) -> int | None:
        text = getattr(given, name)
        return None if text is None else parse_bytes(text, name=f"--{name}")

    return Selection(
        functions=tuple(given.functions),
        older=span("older"),
        newer=span("newer"),
        unused=span("unused"),
        larger=size("larger"),
        smaller=size("smaller"),
        slower=span("slower"),
        faster=span("faster"),
    )


def _number(text: str) -> float | str:
    """Seconds may be given without a unit."""
    try:
        return float(text)
    except ValueError:
        return text


def selected(entries: Iterable[CacheEntry], selection: Selection) -> list[CacheEntry]:
    """The entries within all bounds."""
    found = [entry for entry in entries if _is_of(entry.function, selection.functions)]
    for bound, name, is_above in (
        (selection.older, "age", True),
        (selection.newer, "age", False),
        (selection.unused, "unused", True),
        (selection.larger, "nbytes", True),
        (selection.smaller, "nbytes", False),
        (selection.slower, "seconds", True),
        (selection.faster, "seconds", False),
    ):
        if bound is not None:
            found = [entry for entry in found if (getattr(entry, name) > bound) is is_above]
    return found


def _is_of(function: str, patterns: Sequence[str]) -> bool:
    names = (function, function.partition(":")[2], function.rpartition(".")[2])
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns for name in names)


def ordered(entries: Sequence[CacheEntry], given: Namespace) -> list[CacheEntry]:
    """The entries as ``--sort``, ``--reverse`` and ``--limit`` ask for them."""
    if given.limit is not None and given.limit < 0:
        raise InvalidOption(f"--limit={given.limit}: give a number of lines, 0 or more")
    found = sorted(entries, key=ORDERS[given.sort], reverse=given.reverse)
    return found if given.limit is None else found[: given.limit]


def short(entry: CacheEntry) -> str:
    """The first digits of a key that tell results of one function apart."""
    return entry.key[FUNCTION_BYTES:].hex()[:_SHORT]


def find(entries: Iterable[CacheEntry], text: str) -> list[CacheEntry]:
    """The entries whose key begins with `text`: all of its digits count, or those that `short` gives.

    Raises
    ------
    InvalidOption
        It is no beginning of a key.
    """
    digits = text.lower()
    if len(digits) < _LEAST_DIGITS or set(digits) - set("0123456789abcdef"):
        raise InvalidOption(
            f"{text!r} is no key: give {_LEAST_DIGITS} hexadecimal digits or more, as `cache ls` shows them"
        )
    return [
        entry
        for entry in entries
        if entry.key[FUNCTION_BYTES:].hex().startswith(digits) or entry.key.hex().startswith(digits)
    ]


def called(entry: CacheEntry) -> str:
    """The call of an entry, or what stands for one that is not known."""
    return entry.call or "(not known)"


def row_of(entry: CacheEntry) -> dict[str, object]:
    """An entry for programs: its fields, with the key in hexadecimal digits."""
    return {**entry._asdict(), "key": entry.key.hex()}
