"""What can be read off a code object: its instructions, and the names outside of it that it uses.

Written for the bytecode of CPython 3.11 to 3.13. Names that code makes up at run time (``getattr``,
dictionaries of handlers, attributes of instances) cannot be seen here.
"""

import opcode
import sys
from collections.abc import Iterator
from types import CodeType
from typing import NamedTuple

__all__ = ["OwnUses", "Uses", "instructions", "own_uses", "uses"]

_EXTENDED_ARG = opcode.EXTENDED_ARG
# The last name that one of these loads is on top of the stack.
_LOCALS = frozenset(
    ["LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_DEREF", "LOAD_FAST_LOAD_FAST", "STORE_FAST_LOAD_FAST"]
)
_GLOBALS = frozenset(("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"))
_ATTRIBUTES = frozenset(("LOAD_ATTR", "LOAD_METHOD"))
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
# Since 3.11 (3.12 for attributes) the lowest bit of the argument is a flag, not part of the name's number.
_SHIFT = {"LOAD_GLOBAL": 1, "LOAD_ATTR": 1 if sys.version_info >= (3, 12) else 0}


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

    imports: tuple[Import, ...]

    attributes: frozenset[str]
    """All names that are read off anything."""


class OwnUses(NamedTuple):
    """What a method does with its first parameter."""

    reads: frozenset[str]
    """Attributes that are read off it directly: ``{"a"}`` for ``self.a.b``."""

    changes: bool
    """Whether an attribute is assigned to, or its value changed in place."""

    others: frozenset[str]
    """Attributes that are read off anything else."""


def instructions(code: CodeType) -> Iterator[tuple[int, int]]:
    """Operation and full argument of each instruction, without the compiler's inline caches."""
    raw, high = code.co_code, 0
    for at in range(0, len(raw), 2):
        operation, argument = raw[at], raw[at + 1] | high
        if operation == _EXTENDED_ARG:
            high = argument << 8
            continue
        high = 0
        if operation:  # CACHE is 0
            yield operation, argument


def uses(code: CodeType) -> Uses:
    """The names outside of `code` that it and the functions inside it use, in the order of first use."""
    chains: dict[tuple[str, ...], None] = {}
    written: set[tuple[str, ...]] = set()
    imports: list[Import] = []
    attributes: set[str] = set()
    for inner in _family(code):
        stream = [_named(inner, *pair) for pair in instructions(inner)]
        chains.update(dict.fromkeys(_chains(stream)))
        written.update(chain for is_local, chain in _written(stream) if not is_local)
        imports.extend(_imports(inner, stream))
        attributes.update(each.name for each in stream if each.title in _ATTRIBUTES)
    return Uses(tuple(chains), frozenset(written), tuple(imports), frozenset(attributes))


def own_uses(code: CodeType) -> OwnUses:
    """What `code`, and the functions inside it, do with its first parameter."""
    own = code.co_varnames[0] if code.co_argcount else None
    reads: set[str] = set()
    others: set[str] = set()
    changes = False
    for inner in _family(code):
        stream = [_named(inner, *pair) for pair in instructions(inner)]
        for before, each in zip([None, *stream], stream, strict=False):
            if each.title in _ATTRIBUTES:
                off_own = before is not None and before.title in _LOCALS and before.name == own
                (reads if off_own else others).add(each.name)
        changes = changes or any(
            is_local and len(chain) > 1 and chain[0] == own for is_local, chain in _written(stream)
        )
    return OwnUses(frozenset(reads), changes, frozenset(others))


def _family(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _family(constant)


def _named(code: CodeType, operation: int, argument: int) -> Instruction:
    title = opcode.opname[operation]
    if title in _LOCALS:
        variables = _variables(code)
        place = argument & 15 if title.endswith("_LOAD_FAST") else argument
        return Instruction(operation, argument, title, variables[place])
    place = argument >> _SHIFT.get(title, 0)
    name = code.co_names[place] if operation in opcode.hasname and place < len(code.co_names) else ""
    return Instruction(operation, argument, title, name)


def _variables(code: CodeType) -> tuple[str, ...]:
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
            before = stream[at - 2 : at]
            if all(each.title == "LOAD_CONST" for each in before):
                level, names = (code.co_consts[each.argument] for each in before)
                yield Import(level, instruction.name, tuple(names or ()))
