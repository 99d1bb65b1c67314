"""What a code object does, without where it stands: the part of a fingerprint that comes from bytecode.

Left out: file names, line numbers, comments, formatting, docstrings, annotations, and the names of inner
functions. Included: instructions with their constants (typed, so that ``1`` and ``1.0`` differ), the names
they use, the shape of the signature and the minor version of Python, whose bytecode this is. Made from code
objects, so that a source file edited after import cannot mislead it.
"""

import opcode
import sys
from types import CodeType

from .bytecode import instructions
from .walk import Walk, frame

__all__ = ["encode_code"]

_HAS_CONST = frozenset(opcode.hasconst)
_VERSION = b"%d.%d" % sys.version_info[:2]


def encode_code(walk: Walk, code: CodeType) -> bytes:
    """The encoding of a code object and of those inside it."""
    instructions, constants = _normalised(code)
    shape = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    table = getattr(code, "co_exceptiontable", b"")
    facts = (instructions, table, *shape, *names)
    walk.keep(facts)
    return frame(b"C" + _VERSION + b":", [*walk.tokens(facts), *walk.tokens(constants)])


def _normalised(code: CodeType) -> tuple[bytes, list[object]]:
    """The instructions with constants renumbered in the order of their first use, and those constants.

    The compiler puts the docstring first among the constants and never loads it, so it falls out here, and
    with it the shift that it causes in the numbers of all others.
    """
    plain = bytearray()
    constants: list[object] = []
    places: dict[int, int] = {}
    for operation, argument in instructions(code):
        if operation in _HAS_CONST:
            if argument not in places:
                places[argument] = len(constants)
                constants.append(code.co_consts[argument])
            argument = places[argument]
        plain.append(operation)
        plain += argument.to_bytes(4, "little")
    return bytes(plain), constants
