"""Functions that travel once per worker and session instead of with each task.

Only what has no state of its own may stay behind: plain functions, builtins, classes and objects marked as
`StatelessCallable`, such as cached functions. Bound methods, partials and other callable objects are state;
each task gets its own copy, as of any argument.
"""

import types
from typing import Any, NamedTuple

from ...parcel.parcels import Parcel, split
from ...protocols import StatelessCallable

__all__ = ["Shipyard"]


class _Shipped(NamedTuple):
    """The number of a function. `function` is kept so that nothing else gets its `id` in this session."""

    number: int
    function: Any  # Any: some callable


class Shipyard:
    """The functions of one session, each taken apart once.

    A function of ``__main__`` takes its globals along as they are when it is first sent; the next session
    sends it again, so a changed global reaches the next call and never half of this one.
    """

    def __init__(self) -> None:
        self._shipped: dict[int, _Shipped] = {}
        self._parcels: list[Parcel] = []

    def ship(self, function: Any) -> int | None:  # Any: some callable
        """The number of a stateless function, which is taken apart when it is first seen.

        ``None`` for any other callable, which has to travel with its task.

        Raises
        ------
        UnpicklableError
            It refers to something that cannot travel; the message names it.
        """
        shipped = self._shipped.get(id(function))
        if shipped is None:
            if not _is_stateless(function):
                return None
            name = getattr(function, "__qualname__", "function")
            parcel = split(function, by_value=True, path=name)
            shipped = self._shipped[id(function)] = _Shipped(len(self._parcels), function)
            self._parcels.append(parcel)
        return shipped.number

    def parcel(self, number: int) -> Parcel:
        """What was made of the function `number`."""
        return self._parcels[number]


def _is_stateless(function: object) -> bool:
    """Whether all that a call of `function` can change of it is global anyway."""
    kind = type(function)
    if kind is types.FunctionType or kind is type:
        return True
    if kind is types.BuiltinFunctionType:
        owner = getattr(function, "__self__", None)
        return owner is None or type(owner) is types.ModuleType
    return isinstance(function, StatelessCallable)
