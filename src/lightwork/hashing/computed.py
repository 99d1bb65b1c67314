"""Whether code makes up the names that it reads: ``getattr(handlers, f"handle_{kind}")``."""

import opcode
from types import CodeType

from . import bytecode
from .bytecode import family, name_place, placed

__all__ = ["MAKES_NAMES", "RUNS_NAMED", "computes_names"]

MAKES_NAMES = frozenset(("globals", "locals", "vars", "eval", "exec", "__import__"))
"""Builtins by which code reaches any name."""

RUNS_NAMED = frozenset(("importlib:import_module", "runpy:run_module", "runpy:run_path"))
"""Functions that run a module whose name is a value."""

_LOADS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_DEREF")
_BETWEEN = ("LOAD_ATTR", "PUSH_NULL", "NOP", "PRECALL")


def computes_names(code: CodeType) -> bool:
    """Whether ``getattr`` is used, but not with a constant name, or ``__dict__``, ``vars`` or ``dir`` is.

    Of a Python whose bytecode cannot be read, whether it may be.
    """
    return any(map(_computes, family(code)))


def _computes(code: CodeType) -> bool:
    if {"__dict__", "vars", "dir"} & {*code.co_names}:
        return True
    if "getattr" not in code.co_names or not bytecode.IS_KNOWN:
        return "getattr" in code.co_names
    stream = [(opcode.opname[each[2]], name_place(each[2], each[3])) for each in placed(code)]
    for at, (title, place) in enumerate(stream):
        if title in _LOADS and place is not None and code.co_names[place] == "getattr":
            after = [title for title, _ in stream[at + 1 :] if title not in _BETWEEN]
            owner, name, *rest = (*after, "", "")[:4]
            if rest and (rest[0] == "LOAD_CONST" or rest[0] in _LOADS):  # what it is without such a name
                del rest[0]
            if owner not in _LOADS or name != "LOAD_CONST" or rest[:1] != ["CALL"]:
                return True
    return False
