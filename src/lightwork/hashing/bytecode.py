"""What can be read off a code object: its instructions, and the names outside of it that it uses.

Written for the bytecode of CPython 3.11 to 3.14. That of other versions is not read: there every name that
the code could use counts as used, and none as written to. Keys then change more often than they must (a
function that counts in a global is computed on each call), but no name is missed. To make 3.15 known: the
lowest bits of the argument of ``IMPORT_NAME`` say whether it is lazy.

Names that code makes up at run time (dictionaries of handlers, attributes of instances) cannot be seen here.
"""

import opcode
import sys
from collections.abc import Iterator
from types import CodeType
from typing import Any, NamedTuple, TypeAlias

__all__ = [
    "CONSTANTS",
    "IS_KNOWN",
    "JUMPS",
    "Import",
    "OwnUses",
    "Placed",
    "Uses",
    "constant",
    "family",
    "jump_target",
    "name_place",
    "name_shift",
    "own_uses",
    "placed",
    "uses",
    "variables",
]

IS_KNOWN = sys.version_info < (3, 15)
"""Whether the bytecode of this Python can be read."""

JUMPS = frozenset(opcode.hasjrel)
_BACKWARD = frozenset(
    number
    for number in JUMPS
    if "BACKWARD" in opcode.opname[number] or opcode.opname[number] == "END_ASYNC_FOR"  # a jump since 3.14
)
_EXTENDED_ARG = opcode.EXTENDED_ARG
_HAS_NAME = frozenset(opcode.hasname)
_LOCALS = frozenset(("LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_DEREF"))
# In 3.14 `x[key]` became an operator like `+`; the number is that of ``NB_SUBSCR`` in its ``opcode.h``.
_SUBSCRIPT = (opcode.opmap["BINARY_OP"], 26) if "BINARY_SUBSCR" not in opcode.opmap else None
CONSTANTS = frozenset(("LOAD_CONST", "LOAD_SMALL_INT"))  # the second since 3.14
# Since 3.14 a load may borrow. The compiler finds out late whether it may, so layout leaves traces in that.
_BORROWED = {opcode.opmap.get("LOAD_FAST_BORROW", -1): opcode.opmap["LOAD_FAST"]}
# From 3.13 on two that stand on one line are one. The first variable is in the upper four bits.
_PAIRS = {
    opcode.opmap[f"{one}_{two}"]: tuple(
        _BORROWED.get(opcode.opmap[each], opcode.opmap[each]) for each in (one, two)
    )
    for one in ("LOAD_FAST", "LOAD_FAST_BORROW", "STORE_FAST")
    for two in ("LOAD_FAST", "LOAD_FAST_BORROW", "STORE_FAST")
    if f"{one}_{two}" in opcode.opmap
}
_GLOBALS = frozenset(("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"))
_ATTRIBUTES = frozenset(("LOAD_ATTR", "LOAD_METHOD"))
_READS = _ATTRIBUTES | {"LOAD_SUPER_ATTR"}
_ITEM_STORES = frozenset(("STORE_SUBSCR", "DELETE_SUBSCR"))
_ATTRIBUTE_STORES = frozenset(("STORE_ATTR", "DELETE_ATTR"))
_GLOBAL_STORES = frozenset(("STORE_GLOBAL", "DELETE_GLOBAL"))
_MUTATORS = frozenset(
    [
        "add",
        "append",
        "clear",
        "discard",
        "extend",
        "insert",
        "pop",
        "popitem",
        "remove",
        "reverse",
        "setdefault",
        "sort",
        "update",
        "appendleft",
        "popleft",
        "extendleft",
        "__setitem__",
        "__delitem__",
        "difference_update",
        "intersection_update",
        "symmetric_difference_update",
        "move_to_end",
        "fill",
        "put",
        "resize",
    ]
)
# Since 3.11 (3.12 for attributes) the lowest bits of the argument are flags, not part of the name's number.
_SHIFT = {"LOAD_GLOBAL": 1, "LOAD_ATTR": 1 if sys.version_info >= (3, 12) else 0, "LOAD_SUPER_ATTR": 2}
_SHIFTS = [_SHIFT.get(title, 0) for title in opcode.opname]
_RELATIVE_LEVELS = 3  # of imports that are guessed


class Instruction(NamedTuple):
    """One instruction; `name` is what it refers to by name, if it does."""

    operation: int
    argument: int
    title: str
    name: str


class Import(NamedTuple):
    """An import statement inside a function: ``from ..module import names`` has level 2."""

    level: int
    module: str
    names: tuple[str, ...]


class Uses(NamedTuple):
    """What a code object and those inside it refer to."""

    chains: tuple[tuple[str, ...], ...]
    """Global names with the attributes that are read off them at once: ``("np", "linalg", "norm")``."""

    written: frozenset[tuple[str, ...]]
    """Chains that are assigned to, or whose value is changed in place."""

    written_attributes: frozenset[str]
    """The last names of such chains, those that begin at a local name too."""

    imports: tuple[Import, ...]

    attributes: frozenset[str]
    """All names that are read off anything."""

    texts: frozenset[str]
    """Constants that could be names: ``getattr(module, "f")``."""


class OwnUses(NamedTuple):
    """What a method does with its first parameter."""

    reads: frozenset[str]
    """Attributes that are read off it directly: ``{"a"}`` for ``self.a.b``."""

    changes: bool
    """Whether an attribute is assigned to, or its value changed in place."""

    others: frozenset[str]
    """Attributes that are read off anything else."""


Placed: TypeAlias = tuple[int, int, int, int]
"""One instruction and where it lies, in units of two bytes: start, end (before it), operation, argument.

A plain tuple: there are tens of thousands in a survey of a large module.
"""


def placed(code: CodeType) -> list[Placed]:
    """The instructions with their full arguments; the compiler's inline caches belong to the one before."""
    found: list[Placed] = []
    operations, arguments = code.co_code[::2], code.co_code[1::2]
    count = len(operations)
    high, start, at = 0, 0, 0
    while at < count:
        operation, argument = operations[at], arguments[at] | high
        at += 1
        if operation == _EXTENDED_ARG:
            high = argument << 8
            continue
        while at < count and not operations[at]:  # CACHE is 0
            at += 1
        pair = _PAIRS.get(operation)
        if pair is None:
            found.append((start, at, _BORROWED.get(operation, operation), argument))
        else:
            found.append((start, at, pair[0], argument >> 4))
            found.append((start, at, pair[1], argument & 15))
        high, start = 0, at
    return found


def jump_target(end: int, operation: int, argument: int) -> int:
    """Where a jump leads, in units of two bytes, by what `placed` says of it."""
    return end - argument if operation in _BACKWARD else end + argument


def constant(code: CodeType, title: str, argument: int) -> Any:
    """What an instruction whose title is one of `CONSTANTS` loads."""
    return argument if title == "LOAD_SMALL_INT" else code.co_consts[argument]


def uses(code: CodeType) -> Uses:
    """The names outside of `code` that it and the functions inside it use, in the order of first use."""
    chains: dict[tuple[str, ...], None] = {}
    written: set[tuple[str, ...]] = set()
    written_attributes: set[str] = set()
    imports: list[Import] = []
    attributes: set[str] = set()
    texts: set[str] = set()
    for inner in family(code):
        texts.update(each for each in inner.co_consts if type(each) is str and each.isidentifier())
        if not IS_KNOWN:
            chains.update(((name,), None) for name in inner.co_names)
            attributes.update(inner.co_names)
            imports.extend(_possible_imports(inner))
            continue
        stream = _stream(inner)
        chains.update(dict.fromkeys(_chains(stream)))
        for is_local, chain in _written(stream):
            if not is_local:
                written.add(chain)
            written_attributes.update(chain[1:])
        imports.extend(_imports(inner, stream))
        attributes.update(each.name for each in stream if each.title in _READS)
    sets = (frozenset(found) for found in (attributes, texts))
    return Uses(tuple(chains), frozenset(written), frozenset(written_attributes), tuple(imports), *sets)


def _possible_imports(code: CodeType) -> Iterator[Import]:
    """Every import that code could contain which cannot be read."""
    for name in code.co_names:
        for level in range(_RELATIVE_LEVELS):
            yield Import(level, name, code.co_names)
        yield from (Import(level, "", (name,)) for level in range(1, _RELATIVE_LEVELS))


def own_uses(code: CodeType) -> OwnUses:
    """What `code`, and the functions inside it, do with its first parameter."""
    if not IS_KNOWN:
        names = frozenset(name for inner in family(code) for name in inner.co_names)
        return OwnUses(names, False, names)
    own = code.co_varnames[0] if code.co_argcount else None
    reads: set[str] = set()
    others: set[str] = set()
    changes = False
    for inner in family(code):
        stream = _stream(inner)
        for before, each in zip([None, *stream], stream, strict=False):
            if each.title in _READS:
                off_own = before is not None and before.title in _LOCALS and before.name == own
                (reads if off_own else others).add(each.name)
        changes = changes or any(
            is_local and len(chain) > 1 and chain[0] == own for is_local, chain in _written(stream)
        )
    return OwnUses(frozenset(reads), changes, frozenset(others))


def family(code: CodeType) -> Iterator[CodeType]:
    """`code` and the code of the functions and classes inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from family(constant)


def _stream(code: CodeType) -> list[Instruction]:
    """The instructions of `code` with what they refer to."""
    names, places = code.co_names, variables(code)
    found = []
    for _, _, operation, argument in placed(code):
        title = opcode.opname[operation]
        if (operation, argument) == _SUBSCRIPT:
            title = "BINARY_SUBSCR"
        if title in _LOCALS:
            name = places[argument]
        else:
            place = name_place(operation, argument)
            name = names[place] if place is not None and place < len(names) else ""
        found.append(Instruction(operation, argument, title, name))
    return found


def name_place(operation: int, argument: int) -> int | None:
    """Which of ``co_names`` an instruction uses, if it uses one."""
    return argument >> _SHIFTS[operation] if operation in _HAS_NAME else None


def name_shift(operation: int) -> int:
    """How many of the lowest bits of an argument are flags."""
    return _SHIFTS[operation]


def variables(code: CodeType) -> tuple[str, ...]:
    """The names of a frame's variables, in their order: a parameter that is captured has one place."""
    cells = tuple(name for name in code.co_cellvars if name not in code.co_varnames)
    return code.co_varnames + cells + code.co_freevars


def _chains(stream: list[Instruction]) -> Iterator[tuple[str, ...]]:
    for at, instruction in enumerate(stream):
        if instruction.title in _GLOBALS:
            chain = [instruction.name]
            for following in stream[at + 1 :]:
                if following.title not in _ATTRIBUTES:
                    break
                chain.append(following.name)
            yield tuple(chain)


def _written(stream: list[Instruction]) -> Iterator[tuple[bool, tuple[str, ...]]]:
    """Whether its first name is a local one, and the chain, for all that is assigned to or changed."""
    for at, instruction in enumerate(stream):
        title, name = instruction.title, instruction.name
        if title in _GLOBAL_STORES:
            yield False, (name,)
        elif title in _ITEM_STORES:
            place = _augmented(stream, at, 2, "BINARY_SUBSCR")
            yield from _owner(stream, _before_value(stream, place), ())  # below the key
        elif title == "STORE_SLICE":  # from 3.12 on, where both ends of the slice lie above its owner
            place = _augmented(stream, at, 3, "BINARY_SLICE")
            yield from _owner(stream, _before_value(stream, _before_value(stream, place)), ())
        elif title in _ATTRIBUTE_STORES:
            yield from _owner(stream, _augmented(stream, at, 1, "LOAD_ATTR", name), (name,))
        elif title in _ATTRIBUTES and name in _MUTATORS:
            yield from _owner(stream, at - 1, ())


def _augmented(stream: list[Instruction], at: int, count: int, title: str, name: str = "") -> int:
    """The place where the target of the store at `at` was made: before it, but for ``x.a += 1``.

    There the target was copied before its value was read: `count` times ``COPY count``, then `title`.
    """
    if stream[at - 1].title != "SWAP":
        return at - 1
    for place in range(at - 2, count, -1):
        read, copies = stream[place], stream[place - count : place]
        copied = all(each.title == "COPY" and each.argument == count for each in copies)
        if copied and read.title == title and read.name == name:
            return place - count - 1
    return at - 1


def _before_value(stream: list[Instruction], at: int) -> int:
    """The place before the instructions that made the topmost value of the stack at `at`.

    Going back until the instructions together push one value more than they take is exact for code
    without jumps, and keys and values of assignments rarely have any.
    """
    depth = 0
    while at >= 0:
        operation, argument = stream[at][:2]
        depth += opcode.stack_effect(operation, argument if operation >= opcode.HAVE_ARGUMENT else None)
        at -= 1
        if depth == 1:
            break
    return at


def _owner(
    stream: list[Instruction], at: int, rest: tuple[str, ...]
) -> Iterator[tuple[bool, tuple[str, ...]]]:
    """The chain that the value made at `at` was reached by: ``("m", "X")`` for ``m.X["a"]``."""
    while at >= 0:
        instruction = stream[at]
        if instruction.title in _GLOBALS or instruction.title in _LOCALS:
            yield instruction.title in _LOCALS, (instruction.name, *rest)
            return
        if instruction.title in _ATTRIBUTES:
            at, rest = at - 1, (instruction.name, *rest)
        elif instruction.title == "BINARY_SUBSCR":
            at, rest = _before_value(stream, at - 1), ()
        else:
            return


def _imports(code: CodeType, stream: list[Instruction]) -> Iterator[Import]:
    for at, instruction in enumerate(stream):
        if instruction.title == "IMPORT_NAME" and at >= 2:
            level, names = stream[at - 2 : at]
            if level.title in CONSTANTS and names.title == "LOAD_CONST":
                number = constant(code, level.title, level.argument)
                yield Import(number, instruction.name, tuple(code.co_consts[names.argument] or ()))
