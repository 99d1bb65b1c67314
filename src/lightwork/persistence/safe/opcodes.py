"""The pickle instructions that protocol 5 picklers write, and what each does to the stack.

All others are left out and refused: those of older protocols, persistent ids, extension codes.
"""

import pickle
from typing import NamedTuple

__all__ = ["OPCODES", "Opcode", "name_of"]


class Opcode(NamedTuple):
    """One instruction."""

    name: str

    argument: int
    """Bytes of its argument, if `counted` is 0."""

    counted: int
    """Bytes of the length that stands before its argument, 0 for arguments of one length."""

    takes: int
    """How many values of the stack it needs, besides those above the mark."""

    gives: int
    """How many values it leaves in their place."""

    to_mark: bool
    """Whether it takes all values above the last mark too."""

    cost: int
    """Most bytes of memory that it leads to, besides its argument. Estimated from `sys.getsizeof`."""


_POINTER, _NUMBER, _TUPLE, _LIST, _HASHED, _OBJECT = 8, 40, 64, 64, 256, 1024

_TABLE = [
    Opcode("PROTO", 1, 0, 0, 0, False, 0),
    Opcode("FRAME", 8, 0, 0, 0, False, 0),
    Opcode("STOP", 0, 0, 1, 0, False, 0),
    Opcode("MARK", 0, 0, 0, 0, False, _LIST),
    Opcode("POP", 0, 0, 1, 0, False, 0),
    Opcode("POP_MARK", 0, 0, 0, 0, True, 0),
    Opcode("NONE", 0, 0, 0, 1, False, _POINTER),
    Opcode("NEWTRUE", 0, 0, 0, 1, False, _POINTER),
    Opcode("NEWFALSE", 0, 0, 0, 1, False, _POINTER),
    Opcode("BININT1", 1, 0, 0, 1, False, _POINTER),
    Opcode("BININT2", 2, 0, 0, 1, False, _NUMBER),
    Opcode("BININT", 4, 0, 0, 1, False, _NUMBER),
    Opcode("LONG1", 0, 1, 0, 1, False, _NUMBER),
    Opcode("LONG4", 0, 4, 0, 1, False, _NUMBER),
    Opcode("BINFLOAT", 8, 0, 0, 1, False, _NUMBER),
    Opcode("SHORT_BINUNICODE", 0, 1, 0, 1, False, _TUPLE),
    Opcode("BINUNICODE", 0, 4, 0, 1, False, _TUPLE),
    Opcode("BINUNICODE8", 0, 8, 0, 1, False, _TUPLE),
    Opcode("SHORT_BINBYTES", 0, 1, 0, 1, False, _TUPLE),
    Opcode("BINBYTES", 0, 4, 0, 1, False, _TUPLE),
    Opcode("BINBYTES8", 0, 8, 0, 1, False, _TUPLE),
    Opcode("BYTEARRAY8", 0, 8, 0, 1, False, _TUPLE),
    Opcode("EMPTY_TUPLE", 0, 0, 0, 1, False, _POINTER),
    Opcode("TUPLE1", 0, 0, 1, 1, False, _TUPLE),
    Opcode("TUPLE2", 0, 0, 2, 1, False, _TUPLE),
    Opcode("TUPLE3", 0, 0, 3, 1, False, _TUPLE),
    Opcode("TUPLE", 0, 0, 0, 1, True, _TUPLE),
    Opcode("EMPTY_LIST", 0, 0, 0, 1, False, _LIST),
    Opcode("APPEND", 0, 0, 2, 1, False, _TUPLE),
    Opcode("APPENDS", 0, 0, 1, 1, True, _TUPLE),
    Opcode("EMPTY_DICT", 0, 0, 0, 1, False, _HASHED),
    Opcode("SETITEM", 0, 0, 3, 1, False, _HASHED),
    Opcode("SETITEMS", 0, 0, 1, 1, True, _HASHED),
    Opcode("EMPTY_SET", 0, 0, 0, 1, False, _HASHED),
    Opcode("ADDITEMS", 0, 0, 1, 1, True, _HASHED),
    Opcode("FROZENSET", 0, 0, 0, 1, True, _HASHED),
    Opcode("BINGET", 1, 0, 0, 1, False, _POINTER),
    Opcode("LONG_BINGET", 4, 0, 0, 1, False, _POINTER),
    Opcode("MEMOIZE", 0, 0, 1, 1, False, _POINTER),
    Opcode("STACK_GLOBAL", 0, 0, 2, 1, False, _TUPLE),
    Opcode("REDUCE", 0, 0, 2, 1, False, _OBJECT),
    Opcode("NEWOBJ", 0, 0, 2, 1, False, _OBJECT),
    Opcode("NEWOBJ_EX", 0, 0, 3, 1, False, _OBJECT),
    Opcode("BUILD", 0, 0, 2, 1, False, _OBJECT),
    Opcode("NEXT_BUFFER", 0, 0, 0, 1, False, _HASHED),
    Opcode("READONLY_BUFFER", 0, 0, 1, 1, False, _HASHED),
]

OPCODES: dict[int, Opcode] = {getattr(pickle, opcode.name)[0]: opcode for opcode in _TABLE}
"""By their byte."""


def name_of(byte: int) -> str:
    """What an instruction is called, admitted or not."""
    for name in dir(pickle):
        if name.isupper() and getattr(pickle, name) == bytes([byte]):
            return name
    return f"{byte:#04x}"
