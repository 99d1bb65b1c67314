"""``lightwork cache show``: all that is known of one result."""

import time
from argparse import ArgumentParser, Namespace
from typing import Any

from ...memory import Memory
from ...memory.entries import CacheEntry
from ...system.units import duration, size
from ..command import OK, USAGE, Command, Refusal
from ..tables import span_text
from ..terminal import Terminal
from .opening import add_cache, opened
from .selection import called, find, row_of, short

__all__ = ["SHOW", "the_one"]

DETAILS = """\
KEY is what `cache ls` shows, or the first digits of it. Nothing is unpickled.

examples:
  lightwork cache show cache 3f9a
"""


def the_one(memory: Memory, text: str) -> CacheEntry:
    """The entry that a user means by the beginning of its key. Raises `Refusal` if it is not one."""
    found = find(memory.entries(), text)
    if not found:
        raise Refusal(f"there is no result with the key {text!r}", USAGE)
    if len(found) > 1:
        keys = ", ".join(short(entry) for entry in found[:5]) + ", ..." * (len(found) > 5)
        raise Refusal(f"{len(found)} keys begin with {text!r}: {keys}", USAGE)
    return found[0]


def _add_arguments(parser: ArgumentParser) -> None:
    add_cache(parser, json="all of it; sizes in bytes, times in seconds")
    parser.add_argument("key", metavar="KEY", help="the key of a result, or the first digits of it")


def _lines(entry: CacheEntry, facts: dict[str, Any]) -> list[str]:  # Any: what json takes
    written = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() - entry.age))
    lines = [
        called(entry),
        f"function  {entry.function or '(not known)'}",
        f"key       {entry.key.hex()}",
        f"size      {size(entry.nbytes)}",
        f"written   {written}, {span_text(entry.age)} ago; last used {span_text(entry.unused)} ago",
        f"took      {duration(entry.seconds)}",
    ]
    if "ttl" in facts:
        left = facts["ttl"] - entry.age
        state = f"for {span_text(left)} more" if left > 0 else f"expired {span_text(-left)} ago"
        lines.append(f"lives     {state}")
    paths = facts.get("paths", {})
    for name, digest in facts.get("args", {}).items():
        lines.append(f"argument  {name}: {digest}{f', the file {paths[name]}' if name in paths else ''}")
    lines += [f"file      {path}" for path, *_ in facts.get("files", ())]
    code = facts.get("parts", {})
    if code:
        lines.append(f"code      Python {code.get('python')}, parameters {code.get('parameters') or 'none'}")
        lines += [f"          {name} {digest}" for name, digest in code.get("parts", {}).items()]
    return lines


def _run(given: Namespace, terminal: Terminal) -> int:
    memory = opened(given)
    entry = the_one(memory, given.key)
    facts = memory.facts(entry.key)
    if given.json:
        terminal.write_json({**row_of(entry), "facts": facts})
    else:
        first, *others = _lines(entry, facts)
        terminal.write("\n".join([terminal.styled(first, "bold"), *others]))
    return OK


SHOW = Command("show", "all that is known of one result", DETAILS, _add_arguments, _run)
