"""Why a call is a hit or a miss. Pure: facts and notes in, sentences out.

With each record a short digest of every argument is kept, and the number of its *code*: the function's
fingerprint, with what belongs to it. What a code was made of is a note, kept once per code::

    record   {"call": "f(1, y=2)", "args": {"x": "9c0f...", "y": "..."}, "code": "41d0...", "time": ...}
             of slow calls also {"leaves": {"y": {"['lr']": "9c0f31", ...}}}, see `leaves`
             if some are a `File` also {"paths": {"y": "data.csv"}}
    note     {"python": "3.12", "version": "None", "parameters": "x, y", "parts": {"mod:helper": "77ab..."},
              "untracked": {"TABLE": "a list with too many parts"}}
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from .. import memory
from .facts import Metadata

__all__ = ["NOTHING_KEPT", "Explanation", "explain_miss", "how_long"]


NOTHING_KEPT = "no result of this function is kept"


class Explanation(NamedTuple):
    """What a call would find, and why. ``print`` it."""

    is_hit: bool
    reason: str
    """One sentence."""

    changes: tuple[str, ...] = ()
    """What differs from the nearest result that is kept, if there is one."""

    def __str__(self) -> str:
        head = f"{'hit' if self.is_hit else 'miss'}: {self.reason}"
        return "\n".join([head, *(f"  {change}" for change in self.changes)])


def explain_miss(
    made: Metadata,
    note: Metadata,
    kept: Sequence[Metadata],
    noted: Callable[[str], Metadata | None],
    now: float,
) -> Explanation:
    """Why a call found nothing.

    Parameters
    ----------
    made, note
        What its key is made of, and its code.
    kept
        Facts of results of this function, those written last first.
    noted
        The note of a code, if it is still there.
    now
        Seconds since the epoch.
    """
    kept = [facts for facts in kept if isinstance(facts.get("args"), dict)]
    if not kept:
        return Explanation(False, NOTHING_KEPT)
    same_arguments = [facts for facts in kept if facts["args"] == made["args"]]
    if same_arguments:
        found = same_arguments[0]
        return Explanation(
            False,
            f"it was computed {how_long(now - found['time'])} ago, with other code",
            _changed_code(note, noted(found["code"])),
        )
    same_code = [facts for facts in kept if facts.get("code") == made["code"]]
    if same_code:
        found = max(
            same_code, key=lambda facts: (_agreeing(made, facts, "args"), _agreeing(made, facts, "paths"))
        )
        reason = f"computed with other arguments only; the nearest is {found.get('call')}"
        return Explanation(False, reason, _changed_arguments(made, found))
    found = kept[0]
    reason = f"neither these arguments nor this code; the last is {found.get('call')}"
    changes = _changed_arguments(made, found) + _changed_code(note, noted(found["code"]))
    return Explanation(False, reason, changes)


def how_long(seconds: float) -> str:
    """A span of time for people."""
    seconds = max(seconds, 0.0)
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        count = int(seconds // length)
        if count:
            return f"{count} {unit}{'s' * (count > 1)}"
    return f"{seconds:.0f} s"


def _agreeing(now: Metadata, then: Metadata, what: str) -> int:
    """How many arguments are the same ones as far as `what` tells."""
    return len(now.get(what, {}).items() & then.get(what, {}).items())


def _changed_file(name: str, now: Metadata, then: Metadata) -> str:
    """How an argument differs that is a file both times; empty if it is not."""
    ours, theirs = (facts.get("paths", {}).get(name) for facts in (now, then))
    if ours is None or theirs is None:
        return ""
    if ours == theirs:
        return f"file {ours} has changed"
    return f"argument {name!r} has another content: file {ours} now, {theirs} then"


def _changed_arguments(now: Metadata, then: Metadata) -> tuple[str, ...]:
    """Which arguments differ, and where in them as far as their leaves are known."""
    changes: list[str] = []
    for name in dict.fromkeys([*now["args"], *then["args"]]):
        if now["args"].get(name) == then["args"].get(name):
            continue
        file = _changed_file(name, now, then)
        if file:
            changes.append(file)
        else:
            ours, theirs = (facts.get("leaves", {}).get(name) for facts in (now, then))
            parts = memory.leaves.differing(name, ours, theirs) if ours and theirs else ()
            changes += parts or [f"argument {name!r} differs"]
    return tuple(changes)


def _changed_code(now: Metadata, then: Metadata | None) -> tuple[str, ...]:
    if then is None:
        return ("what that code was made of is not known any more",)
    if now["python"] != then["python"]:
        return (
            f"Python {then['python']} then, {now['python']} now: bytecode is part of the key, so each minor "
            "version computes once",
        )
    changes = [
        f"{name} was {then[name]} then, is {now[name]} now"
        for name in ("version", "parameters")
        if now[name] != then[name]
    ]
    parts_now, parts_then = now["parts"], then["parts"]
    for name in sorted({*parts_now, *parts_then}):
        if name not in parts_then:
            is_old = name in then.get("untracked", {})
            changes.append(f"{name} is {'tracked' if is_old else 'used'} now")
        elif name not in parts_now:
            cause = now.get("untracked", {}).get(name)
            changes.append(
                f"{name} is not tracked any more: {cause}" if cause else f"{name} is not used any more"
            )
        elif parts_now[name] != parts_then[name]:
            changes.append(f"{name} has changed")
    return tuple(changes or ["something that has no name of its own, such as a function of a library"])
