"""What a module that functions import holds at run time, as far as its source does not say so.

Such a module counts by its source, so that it makes no difference whether it is loaded yet. Once it is
loaded, its names may stand for something else (``settings.FACTOR = 5``). What provably is as it was written
adds nothing to a key; all else counts as what is imported at the top of a file does.
"""

import opcode
import sys
from collections.abc import Iterator, Sequence
from types import CodeType, FunctionType, ModuleType
from typing import Any

from . import bytecode
from .bytecode import CONSTANTS, Import, constant, family, placed, uses
from .leaves import is_value, wrapped
from .members import class_members, own_names
from .values import token_of
from .watched import Watched

__all__ = ["as_written", "names_read", "names_written", "watch_written"]

# Any: whatever users put into their modules.

_MISSING: Any = object()


def names_read(code: CodeType) -> frozenset[str]:
    """Names that the functions and classes of a module's code may read off modules, and off their own."""
    found: set[str] = set()
    for inner in _inner(code):
        used = uses(inner)
        found |= used.attributes | used.texts
        found.update(chain[0] for chain in used.chains)
        found.update(name for statement in used.imports for name in statement.names)
    return frozenset(found)


def names_written(code: CodeType) -> Iterator[tuple[str, ...]]:
    """Chains of names that the functions of a module's code assign to or change."""
    for inner in _inner(code):
        yield from uses(inner).written


def watch_written(
    module: ModuleType, codes: Sequence[CodeType], read: frozenset[str], watched: Watched
) -> dict[str, Any]:
    """The names in `read` that are not `as_written`; that the others stay so is watched."""
    watched.spaces.append(vars(module))
    same = as_written(module, codes)
    changed: dict[str, Any] = {}
    for name in sorted(own_names(module) & read):
        value = vars(module)[name]
        if name not in same:
            changed[name] = value
            continue
        watched.name(vars(module), name, value)
        if type(value) is FunctionType:
            watched.functions.append(value)
        elif type(value) is type:
            watched.spaces.append(vars(value))
            for member, held in class_members(value).items():
                watched.name(value, member, held)
                if type(held) is FunctionType:
                    watched.functions.append(held)
    return changed


def as_written(module: ModuleType, codes: Sequence[CodeType]) -> dict[str, Any]:
    """The names of a module that stand for what its code (one of `codes`) gave them."""
    held = vars(module)
    found: dict[str, Any] = {}
    for code in codes if bytecode.IS_KNOWN else ():
        told = dict(_told(code, held.get("__package__") or ""))
        written = _Written(code, module.__name__)
        for name, value in held.items():
            if told.get(name, _MISSING) is not _MISSING:
                same = _is_same(value, told[name])
            else:
                same = written.made(value)
            if same or value is sys.modules.get(f"{module.__name__}.{name}", _MISSING):
                found[name] = value
    return found


def _inner(code: CodeType) -> Iterator[CodeType]:
    return (each for each in code.co_consts if isinstance(each, CodeType))


def _told(code: CodeType, package: str) -> Iterator[tuple[str, Any]]:
    """What names are bound to directly: constants, modules and what is imported from them.

    `_MISSING` for a name that is bound a second time.
    """
    stream = [(opcode.opname[operation], argument) for _, _, operation, argument in placed(code)]
    statements = iter(uses(code).imports)  # in their order, those of the functions inside last
    seen: set[str] = set()
    source = ""
    before: tuple[str, int] = ("", 0)
    for title, argument in stream:
        if title == "IMPORT_NAME":
            source = _absolute(next(statements), package)
        elif title == "STORE_NAME":
            name = code.co_names[argument]
            yield name, _MISSING if name in seen else _bound(code, before, source)
            seen.add(name)
        before = title, argument


def _bound(code: CodeType, before: tuple[str, int], source: str) -> Any:
    title, argument = before
    if title in CONSTANTS:
        return constant(code, title, argument)
    if title == "IMPORT_NAME":
        name = code.co_names[argument]
        return sys.modules.get(name.partition(".")[0], _MISSING)
    if title == "IMPORT_FROM":
        name = code.co_names[argument]
        return getattr(sys.modules.get(source), name, _MISSING)
    return _MISSING


def _absolute(statement: Import, package: str) -> str:
    if not statement.level:
        return statement.module
    base = package.split(".")[: len(package.split(".")) - statement.level + 1]
    return ".".join([*base, *filter(None, [statement.module])])


def _is_same(value: Any, told: Any) -> bool:
    if value is told:
        return True
    return (
        is_value(value) and type(value) is type(told) and token_of(value, path="") == token_of(told, path="")
    )


class _Written:
    """The functions and constants in the code of a module."""

    def __init__(self, code: CodeType, module: str) -> None:
        self._codes = [each for each in family(code) if each is not code]
        self._module = module
        self._constants: list[Any] = []
        for each in family(code):
            for held in each.co_consts:
                self._constants += held if type(held) is tuple else [held]

    def made(self, value: Any) -> bool:
        """Whether a function or class is what the code says, and nothing was added to it."""
        if type(value) is FunctionType:
            defaults = [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
            plain = value.__module__ == self._module and not value.__closure__ and not vars(value)
            return plain and value.__code__ in self._codes and all(map(self._is_constant, defaults))
        if type(value) is type and value.__module__ == self._module:
            names = {
                name
                for each in self._codes
                if each.co_qualname == value.__qualname__
                for name in each.co_names
            }
            members = class_members(value)
            return members.keys() <= names and all(map(self._is_member, members.values()))
        return False

    def _is_constant(self, value: Any) -> bool:
        return any(_is_same(value, told) for told in self._constants)

    def _is_member(self, held: Any) -> bool:
        parts = wrapped(held) if type(held) in (staticmethod, classmethod, property) else [held]
        return all(part is None or self.made(part) or self._is_constant(part) for part in parts or [held])
