"""What a code object does, without where it stands: the part of a fingerprint that comes from bytecode.

Left out: file names, line numbers, comments, formatting, docstrings, annotations, and the names of inner
functions. Included: instructions with their constants (typed, so that ``1`` and ``1.0`` differ), the names
they use, the shape of the signature and the minor version of Python, whose bytecode this is. Made from code
objects, so that a source file edited after import cannot mislead it.

Where a statement is broken into lines leaves traces in bytecode too: instructions that do nothing, which
hold a line number, and with them other distances of jumps. So those are dropped, and jumps go to the number
of an instruction. Annotations of functions *inside* a function are instructions that run, and count.
"""

import opcode
import sys
from collections.abc import Iterator
from itertools import pairwise
from types import CodeType

from . import bytecode
from .bytecode import CONSTANTS, JUMPS, Placed, jump_target, name_place, placed
from .walk import Walk, frame

__all__ = ["encode_code"]

_HAS_CONST = frozenset(opcode.hasconst)
_NOP = opcode.opmap["NOP"]
_STORE_NAME = opcode.opmap["STORE_NAME"]
_VERSION = b"%d.%d" % sys.version_info[:2]
_FLAGS = 0x3BF
"""What a function is (its kinds of parameters, generator, coroutine).

Not: has a docstring, future imports.
"""
# What the body of a class says about itself: assigned from constants, from Python 3.13 on by the compiler.
_CLASS_NOISE = frozenset(("__doc__", "__firstlineno__", "__static_attributes__"))


def encode_code(walk: Walk, code: CodeType) -> bytes:
    """The encoding of a code object and of those inside it."""
    if bytecode.IS_KNOWN:
        kept = _kept(code)
        numbers = _numbers(code, kept)
        instructions, names, constants = _normalised(code, kept, numbers)
        table: object = [*_protected(code, numbers)]
    else:
        instructions, names, constants = code.co_code, code.co_names, code.co_consts
        table = getattr(code, "co_exceptiontable", b"")
    shape = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & _FLAGS)
    variables = (names, code.co_varnames, code.co_freevars, code.co_cellvars)
    facts = (instructions, table, *shape, *variables)
    walk.keep(facts)
    return frame(b"C" + _VERSION + b":", [*walk.tokens(facts), *walk.tokens(constants)])


def _normalised(
    code: CodeType, kept: list[Placed], numbers: list[int]
) -> tuple[bytes, tuple[str, ...], tuple[object, ...]]:
    """The instructions with names and constants numbered in the order of their first use; those.

    The compiler puts the docstring first among the constants and never loads it, so it falls out here, and
    with it the shift that it causes in the numbers of all others.
    """
    plain = bytearray()
    constants: dict[int, int] = {}
    names: dict[int, int] = {}
    for _, end, operation, argument in kept:
        place = name_place(operation, argument)
        if operation in _HAS_CONST:
            argument = constants.setdefault(argument, len(constants))
        elif operation in JUMPS:
            argument = numbers[jump_target(end, operation, argument)]
        elif place is not None:
            flags = argument - (place << bytecode.name_shift(operation))
            plain.append(flags)
            argument = names.setdefault(place, len(names))
        plain.append(operation)
        plain += argument.to_bytes(4, "little")
    return bytes(plain), tuple(code.co_names[n] for n in names), tuple(code.co_consts[n] for n in constants)


def _kept(code: CodeType) -> list[Placed]:
    """The instructions that count."""
    every = [each for each in placed(code) if each[2] != _NOP]
    noise = set()
    for at, ((_, _, before, _), (_, _, operation, argument)) in enumerate(pairwise(every)):
        is_store = operation == _STORE_NAME and opcode.opname[before] in CONSTANTS
        if is_store and code.co_names[argument] in _CLASS_NOISE:
            noise |= {at, at + 1}
    return [each for at, each in enumerate(every) if at not in noise] if noise else every


def _numbers(code: CodeType, kept: list[Placed]) -> list[int]:
    """For each place in the code, the number of the first kept instruction from there on."""
    numbers: list[int] = []
    for number, (start, *_) in enumerate(kept):
        numbers += [number] * (start + 1 - len(numbers))
    return numbers + [len(kept)] * (len(code.co_code) // 2 + 1 - len(numbers))


def _protected(code: CodeType, numbers: list[int]) -> Iterator[int]:
    """The exception table as numbers: start, end and target (numbers of instructions), depth of the stack."""
    table = list(_varints(code.co_exceptiontable))
    for start, length, target, depth in zip(*(table[at::4] for at in range(4)), strict=True):
        first, last = numbers[start], numbers[start + length]
        if first < last:
            yield from (first, last, numbers[target], depth)


def _varints(table: bytes) -> Iterator[int]:
    """The numbers of an exception table: six bits a byte, the highest first, bit 6 says that more follow."""
    value = 0
    for byte in table:
        value = (value << 6) | (byte & 63)
        if not byte & 64:
            yield value
            value = 0
