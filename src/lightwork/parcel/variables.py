"""Context variables by name: a `ContextVar` cannot be pickled, so another process has to find its own.

A variable of a module is found there. One of ``__main__``, which is another module in another process, goes
under a token: the first who asks for the token makes a variable, all others get the same one.
"""

import importlib
import os
import sys
from contextvars import Context, ContextVar
from typing import Any, NamedTuple

__all__ = ["MAIN", "VARIABLES", "Tokened", "Variables", "find_variable", "reduce_variable"]

MAIN = "__main__"


class Tokened(NamedTuple):
    """A variable that no module of another process has."""

    token: bytes
    name: str
    default: tuple[Any, ...]  # Any: the user's value; empty if it has no default


class Variables:
    """Where the context variables of this process are found.

    The table is made when a variable is first looked for, and extended when another one is: a scan of all
    loaded modules takes 5 µs for each. Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._places: dict[ContextVar[Any], tuple[str, str] | None] = {}
        self._scanned: set[str] = set()
        self._tokens: dict[ContextVar[Any], bytes] = {}
        self._made: dict[bytes, ContextVar[Any]] = {}

    def place(self, variable: ContextVar[Any]) -> tuple[str, str] | None:  # Any: whatever it holds
        """The module and the name of a variable; ``None`` if it is no module's."""
        if variable in self._tokens:
            return MAIN, variable.name
        if variable in self._places:
            place = self._places[variable]
            if place is None or getattr(sys.modules.get(place[0]), place[1], None) is variable:
                return place
            del self._places[variable]
        self._scan([name for name in list(sys.modules) if name not in self._scanned])
        if variable not in self._places:
            self._scan(list(sys.modules))  # a module that was known has made it, or was loaded again
        return self._places.setdefault(variable, None)

    def tokened(self, variable: ContextVar[Any]) -> Tokened:
        """What another process needs to have the variable too."""
        token = self._tokens.setdefault(variable, os.urandom(12))
        self._made[token] = variable
        try:
            return Tokened(token, variable.name, (Context().run(variable.get),))
        except LookupError:
            return Tokened(token, variable.name, ())

    def made(self, tokened: Tokened) -> ContextVar[Any]:
        """The variable of a token, made now if nobody has asked before."""
        variable = self._made.get(tokened.token)
        if variable is None:
            variable = _make(tokened)
            self._made[tokened.token] = variable
            self._tokens[variable] = tokened.token
        return variable

    def _scan(self, names: list[str]) -> None:
        self._scanned.update(names)
        # `__main__` comes last: what it has imported from a module is that module's. It may have two names.
        main = sys.modules.get(MAIN)
        for name in sorted(names, key=MAIN.__eq__):
            if sys.modules.get(name) is main and name != MAIN:
                continue
            for key, value in list(getattr(sys.modules.get(name), "__dict__", {}).items()):
                if type(value) is ContextVar and self._places.get(value) is None:
                    self._places[value] = name, key


def _make(tokened: Tokened) -> ContextVar[Any]:
    if tokened.default:
        return ContextVar(tokened.name, default=tokened.default[0])
    return ContextVar(tokened.name)


VARIABLES = Variables()


def reduce_variable(variable: ContextVar[Any]) -> tuple[Any, ...]:
    """How a variable is pickled for another process of this user's.

    Raises
    ------
    TypeError
        It is kept in no module, so nobody can find it elsewhere.
    """
    place = VARIABLES.place(variable)
    if place is None:
        raise TypeError(
            f"cannot pickle the context variable {variable.name!r}: keep it in a module, at the top level"
        )
    if place[0] == MAIN:
        return _made, (VARIABLES.tokened(variable),)
    return find_variable, place


def find_variable(module: str, name: str) -> ContextVar[Any]:
    """The variable of a module, which is imported."""
    variable: ContextVar[Any] = getattr(importlib.import_module(module), name)
    return variable


def _made(tokened: Tokened) -> ContextVar[Any]:
    return VARIABLES.made(tokened)
