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


# By byte. Instructions that are not admitted have no step.
_STEP = [-1] * 256
_COUNTED, _TAKES, _DELTA, _COST = ([0] * 256 for _ in range(4))
for _byte, _opcode in OPCODES.items():
    _STEP[_byte] = 1 + _opcode.argument + _opcode.counted
    _COUNTED[_byte] = _opcode.counted
    _TAKES[_byte] = _opcode.takes
    _DELTA[_byte] = _opcode.gives - _opcode.takes
    _COST[_byte] = _opcode.cost
_BYTES = {opcode.name: byte for byte, opcode in OPCODES.items()}
_TO_MARK = frozenset(byte for byte, opcode in OPCODES.items() if opcode.to_mark)
_SPECIAL = frozenset(
    _BYTES[name]
    for name in (
        "MARK",
        "MEMOIZE",
        "BINGET",
        "LONG_BINGET",
        "SHORT_BINUNICODE",
        "BINUNICODE",
        "STACK_GLOBAL",
        "FRAME",
        "NEXT_BUFFER",
    )
)


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
    walk = _Walk(skeleton)
    walk.run()
    return Scan(list(walk.names), walk.buffers, walk.cost)


class _Walk:
    """One pass over a skeleton. `depth` counts the values above the last mark, `marks` those below each."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._marks: list[int] = []
        # Where the strings of the memo begin, -1 for entries that are none.
        self._memo = array("q")
        # Where the two topmost values begin, if they are strings.
        self._last = self._before = -1
        self.names: dict[Name, None] = {}
        self.buffers = 0
        self.cost = _CHARACTER * len(data)

    def run(self) -> None:
        data, end, at, depth, cost = self._data, len(self._data), 0, 0, 0
        step, counted, takes, delta, costs = _STEP, _COUNTED, _TAKES, _DELTA, _COST
        while at < end:
            opcode = data[at]
            start, size = at, step[opcode]
            if size < 0:
                raise UnsafeFileError(_refusal(data, at))
            at += size
            if counted[opcode]:
                at += int.from_bytes(data[start + 1 : start + size], "little")
            if at > end:
                raise CorruptFileError(f"its skeleton is cut short at byte {start}")
            if opcode in _TO_MARK:
                depth = self._to_mark(opcode, depth, start)
            if depth < takes[opcode]:
                raise CorruptFileError(f"its skeleton takes values that are not there, at byte {start}")
            depth += delta[opcode]
            cost += costs[opcode]
            if opcode in _SPECIAL:
                depth = self._special(opcode, start, at, depth)
            else:
                self._last = self._before = -1
            if opcode == _STOP:
                break
        if opcode != _STOP or at != end or depth or self._marks:
            raise CorruptFileError("its skeleton does not end where it should")
        self.cost += cost

    def _to_mark(self, opcode: int, depth: int, start: int) -> int:
        if not self._marks:
            raise CorruptFileError(f"its skeleton ends a group that was not begun, at byte {start}")
        if opcode == _SETITEMS and depth % 2:
            raise CorruptFileError(f"its skeleton has a key without a value, at byte {start}")
        return self._marks.pop()

    def _special(self, opcode: int, start: int, end: int, depth: int) -> int:
        if opcode == _MEMOIZE:
            self._memo.append(self._last)
        elif opcode in _TEXTS:
            self._before, self._last = self._last, start
        elif opcode in _GETS:
            index = int.from_bytes(self._data[start + 1 : end], "little")
            if index >= len(self._memo):
                raise CorruptFileError(f"its skeleton refers to value {index}, which is not there")
            self._before, self._last = self._last, self._memo[index]
        elif opcode == _GLOBAL:
            self.names[self._name(start)] = None
            self._before = self._last = -1
        elif opcode == _FRAME:  # may stand between the two strings of a name
            if int.from_bytes(self._data[start + 1 : end], "little") > len(self._data) - end:
                raise CorruptFileError("its skeleton has a frame that is longer than the skeleton")
        else:
            self._before = self._last = -1
            self.buffers += opcode == _NEXT_BUFFER
            if opcode == _MARK:
                self._marks.append(depth)
                return 0
        return depth

    def _name(self, at: int) -> Name:
        if self._before < 0 or self._last < 0:
            raise UnsafeFileError(f"its skeleton uses a name that is not written out, at byte {at}")
        return Name(self._text(self._before), self._text(self._last))

    def _text(self, at: int) -> str:
        opcode = self._data[at]
        start = at + _STEP[opcode]
        length = int.from_bytes(self._data[at + 1 : start], "little")
        try:
            return self._data[start : start + length].decode()
        except UnicodeDecodeError:
            raise UnsafeFileError(f"its skeleton uses a name that is no text, at byte {at}") from None


_MARK, _STOP, _FRAME, _MEMOIZE = (_BYTES[name] for name in ("MARK", "STOP", "FRAME", "MEMOIZE"))
_SETITEMS, _GLOBAL, _NEXT_BUFFER = (_BYTES[name] for name in ("SETITEMS", "STACK_GLOBAL", "NEXT_BUFFER"))
_TEXTS = frozenset({_BYTES["SHORT_BINUNICODE"], _BYTES["BINUNICODE"]})
_GETS = frozenset({_BYTES["BINGET"], _BYTES["LONG_BINGET"]})


def _refusal(data: bytes, at: int) -> str:
    name = name_of(data[at])
    asked = ""
    if name in ("GLOBAL", "INST"):  # the older way of writing a name: two lines
        lines = data[at + 1 : at + 600].split(b"\n")[:2]
        asked = " for " + repr(b".".join(lines).decode("ascii", "replace"))
    return f"its skeleton uses the pickle instruction {name}{asked}, which lightwork never writes"
