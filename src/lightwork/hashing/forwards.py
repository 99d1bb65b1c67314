"""Whether a wrapper hands its arguments on untouched, so that its calls may be named like what it wraps.

``functools.wraps`` says what a wrapper wraps, and nothing about what it passes on: it may fill in arguments
of its own, add some or look at how the call was spelled. So a wrapper is believed only if its bytecode shows
that all it does with ``args`` and ``kwargs`` is ``wrapped(*args, **kwargs)``.
"""

import functools
import opcode
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from . import bytecode
from .bytecode import JUMPS, jump_target, placed, variables

__all__ = ["handed_on"]

_VARARGS, _VARKEYWORDS = 0x04, 0x08  # flags of a code object
_LRU_CACHE = type(functools.lru_cache(lambda: None))
_NOP = opcode.opmap["NOP"]
# With these a function sees its own variables, or others see them, without loading them.
_LOOKS_AROUND = frozenset(
    ("locals", "vars", "dir", "eval", "exec", "_getframe", "currentframe", "stack", "f_back", "f_locals")
)
# Since 3.14 the call always takes keywords, which may be none, and has no flag for them.
_NO_FLAG = sys.version_info >= (3, 14)
_LOADS = (("LOAD_FAST", 0), ("BUILD_MAP", 0), ("LOAD_FAST", 1), ("DICT_MERGE", 1))
_PASSES = {
    True: (*_LOADS, ("CALL_FUNCTION_EX", 0 if _NO_FLAG else 1)),
    False: (("LOAD_FAST", 0), *((("PUSH_NULL", 0),) if _NO_FLAG else ()), ("CALL_FUNCTION_EX", 0)),
}
"""``(*args, **kwargs)`` and ``(*args)``; of the loads, which of both."""
_CALLEES = (("PUSH_NULL", "LOAD_DEREF"), ("LOAD_DEREF", "PUSH_NULL"))  # before 3.13, and since


def handed_on(function: Any) -> FunctionType | None:  # Any: whatever can be called
    """The function that `function` calls with the arguments that it gets; ``None`` if not proven."""
    inner = getattr(function, "__wrapped__", None)
    target = handed_on(inner) if type(inner) is _LRU_CACHE else inner
    if type(target) is not FunctionType:
        return None
    if type(function) is _LRU_CACHE:
        return target
    return target if type(function) is FunctionType and _only_passes(function, inner) else None


def _only_passes(function: FunctionType, inner: object) -> bool:
    code = function.__code__
    taken = _taken(code)
    if not taken or not bytecode.IS_KNOWN or _LOOKS_AROUND & {*code.co_names}:
        return False
    stream = [each for each in placed(code) if each[2] != _NOP]
    targets = {
        jump_target(end, operation, argument) for _, end, operation, argument in stream if operation in JUMPS
    }
    passed: set[int] = set()
    for place in range(len(stream)):
        window = stream[place : place + 2 + len(_PASSES[len(taken) == 2])]
        named = [(opcode.opname[each[2]], _operand(code, each[2], each[3])) for each in window]
        entered = any(each[0] in targets for each in window[1:])
        if not entered and named in _forms(taken, function, inner):
            passed.update(range(place, place + len(window)))
    touches = (
        place
        for place, (_, _, operation, argument) in enumerate(stream)
        if "_FAST" in opcode.opname[operation] and variables(code)[argument] in taken
    )
    return bool(passed) and passed.issuperset(touches)


def _taken(code: CodeType) -> tuple[str, ...]:
    """What ``*args``, and ``**kwargs`` if there are such, are called; nothing for all other signatures.

    Nothing either if a function inside has captured one of them.
    """
    if code.co_argcount or code.co_kwonlyargcount or not code.co_flags & _VARARGS:
        return ()
    names = code.co_varnames[: 2 if code.co_flags & _VARKEYWORDS else 1]
    return () if {*names} & {*code.co_cellvars} else names


def _operand(code: CodeType, operation: int, argument: int) -> object:
    """The variable that an instruction loads, else its argument."""
    title = opcode.opname[operation]
    return variables(code)[argument] if title in ("LOAD_FAST", "LOAD_DEREF") else argument


def _forms(
    taken: tuple[str, ...], function: FunctionType, inner: object
) -> Iterator[list[tuple[str, object]]]:
    """The instructions of a call of `inner`, for each name that it has in the closure of `function`."""
    names = function.__code__.co_freevars
    for name, cell in zip(names, function.__closure__ or (), strict=True):
        if _content(cell) is inner:
            for callee in _CALLEES:
                head: list[tuple[str, object]]
                head = [(title, name if title == "LOAD_DEREF" else 0) for title in callee]
                passes = _PASSES[len(taken) == 2]
                yield head + [(t, taken[n] if t == "LOAD_FAST" else n) for t, n in passes]


def _content(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return None
