"""A skeleton is looked through before anything of it is built: structure, lengths, names, memory.

Of the values only the names are looked at, which picklers always write as two strings in a row. That the
names are what the stack holds when they are used follows from that form, any other one is refused.
"""

from array import array
from typing import NamedTuple

from ...errors import CorruptFileError, UnsafeFileError
from .opcodes import OPCODES, name_of

__all__ = ["Name", "Scan", "scan"]

_PROTOCOLS = (4, 5)  # those whose picklers number the memo by themselves
_CHARACTER = 4  # most bytes in memory per byte of a string


class Name(NamedTuple):
    """A global of the file."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Scan(NamedTuple):
    """What a skeleton is about to do."""

    names: list[Name]
    """Each once, in the order of their first use."""

    buffers: int
    """How many it asks for."""

    cost: int
    """Most bytes of memory that it takes, besides the buffers."""


_BYTES = {opcode.name: byte for byte, opcode in OPCODES.items()}
_MARK, _STOP, _FRAME, _MEMOIZE = (_BYTES[name] for name in ("MARK", "STOP", "FRAME", "MEMOIZE"))
_SETITEMS, _GLOBAL, _GET, _TEXT = (
    _BYTES[name] for name in ("SETITEMS", "STACK_GLOBAL", "BINGET", "SHORT_BINUNICODE")
)
_LONG_GET, _LONG_TEXT = _BYTES["LONG_BINGET"], _BYTES["BINUNICODE"]

# By byte. The kinds are in the order in which `_walk` asks for them: the frequent ones first.
_PUSHES, _OTHER, _REFUSED = -1, -2, -3  # others: the byte itself
_KIND = [_REFUSED] * 256
_STEP, _COUNTED, _TAKES, _DELTA, _COST, _TO_MARK = ([0] * 256 for _ in range(6))
for _byte, _opcode in OPCODES.items():
    _STEP[_byte] = 1 + _opcode.argument + _opcode.counted
    _COUNTED[_byte] = _opcode.counted
    _TAKES[_byte] = _opcode.takes
    _DELTA[_byte] = _opcode.gives - _opcode.takes
    _COST[_byte] = _opcode.cost
    _TO_MARK[_byte] = _opcode.to_mark
    pushes = (_opcode.takes, _opcode.gives, _opcode.counted, _opcode.to_mark) == (0, 1, 0, False)
    _KIND[_byte] = _PUSHES if pushes else _OTHER
for _byte in (_GET, _TEXT, _MEMOIZE, _LONG_GET, _LONG_TEXT, _GLOBAL, _FRAME, _MARK):
    _KIND[_byte] = _byte


def scan(skeleton: bytes) -> Scan:
    """Look through a skeleton. O(its length), a few bytes of memory per memo entry.

    Raises
    ------
    CorruptFileError
        It is no pickle: cut short, or it takes more from the stack than lies there.
    UnsafeFileError
        It uses instructions that no pickler of protocol 4 or 5 writes.
    """
    if skeleton[:1] != b"\x80" or len(skeleton) < 2 or skeleton[1] not in _PROTOCOLS:
        raise UnsafeFileError(f"its skeleton begins with {skeleton[:2]!r}, which is no pickle of protocol 5")
    names: dict[Name, None] = {}
    counts = [0] * 256
    try:
        _walk(skeleton, names, counts)
    except IndexError:
        raise CorruptFileError("its skeleton is cut short, or takes values that are not there") from None
    cost = sum(count * each for count, each in zip(counts, _COST, strict=True))
    return Scan(list(names), counts[_BYTES["NEXT_BUFFER"]], _CHARACTER * len(skeleton) + cost)


def _walk(data: bytes, names: dict[Name, None], counts: list[int]) -> None:
    """One pass. `depth` counts the values above the last mark, `marks` those below each.

    `last` and `before` are where the two topmost values begin if they are strings; `memo` has the same for
    its entries; -1 stands for other values. Much is written out here because it runs for every number of a
    file: 0.2 µs per instruction.
    """
    kinds, step, end = _KIND, _STEP, len(data)
    pushes, get, memoize, text, mark, other = _PUSHES, _GET, _MEMOIZE, _TEXT, _MARK, _OTHER
    marks: list[int] = []
    memo = array("q")
    at, depth, opcode, stop = 0, 0, 0, _STOP
    last = before = -1
    while at < end and opcode != stop:
        opcode = data[at]
        counts[opcode] += 1
        kind = kinds[opcode]
        if kind == pushes:
            at, depth, last = at + step[opcode], depth + 1, -1
        elif kind == get:
            at, depth, before, last = at + 2, depth + 1, last, memo[data[at + 1]]
        elif kind == memoize:
            memo.append(last)
            at += 1
            if not depth:
                raise IndexError
        elif kind == text:
            at, depth, before, last = at + 2 + data[at + 1], depth + 1, last, at
        elif kind == mark:
            marks.append(depth)
            at, depth, last = at + 1, 0, -1
        elif kind == other:
            if _TO_MARK[opcode]:
                if opcode == _SETITEMS and depth % 2:
                    raise CorruptFileError(f"its skeleton has a key without a value, at byte {at}")
                depth = marks.pop()
            if depth < _TAKES[opcode]:
                raise IndexError
            at, depth, last = at + step[opcode] + _counted(data, at), depth + _DELTA[opcode], -1
        elif kind == _LONG_GET:
            index = _number(data, at + 1, 4)
            at, depth, before, last = at + 5, depth + 1, last, memo[index]
        elif kind == _LONG_TEXT:
            at, depth, before, last = at + 5 + _number(data, at + 1, 4), depth + 1, last, at
        elif kind == _GLOBAL:
            names[_name(data, before, last, at)] = None
            at, depth, last = at + 1, depth - 1, -1
        elif kind == _FRAME:  # may stand between the two strings of a name
            at += 9
            if _number(data, at - 8, 8) > end - at:
                raise CorruptFileError("its skeleton has a frame that is longer than the skeleton")
        else:
            raise UnsafeFileError(_refusal(data, at))
    if at != end or opcode != _STOP or depth or marks:
        raise CorruptFileError("its skeleton does not end where it should")


def _number(data: bytes, at: int, width: int) -> int:
    return int.from_bytes(data[at : at + width], "little")


def _counted(data: bytes, at: int) -> int:
    """How long the argument of an instruction is, if its length stands before it."""
    return _number(data, at + 1, _COUNTED[data[at]])


def _name(data: bytes, module: int, name: int, at: int) -> Name:
    if module < 0 or name < 0:
        raise UnsafeFileError(f"its skeleton uses a name that is not written out, at byte {at}")
    return Name(_text(data, module), _text(data, name))


def _text(data: bytes, at: int) -> str:
    start = at + _STEP[data[at]]
    try:
        return data[start : start + _counted(data, at)].decode()
    except UnicodeDecodeError:
        raise UnsafeFileError(f"its skeleton uses a name that is no text, at byte {at}") from None


def _refusal(data: bytes, at: int) -> str:
    name = name_of(data[at])
    asked = ""
    if name in ("GLOBAL", "INST"):  # the older way of writing a name: two lines
        lines = data[at + 1 : at + 600].split(b"\n")[:2]
        asked = " for " + repr(b".".join(lines).decode("ascii", "replace"))
    return f"its skeleton uses the pickle instruction {name}{asked}, which lightwork never writes"
