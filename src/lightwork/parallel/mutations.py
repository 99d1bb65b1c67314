"""``check_mutation=True``: an argument that changes while a call runs is an error that names it.

Workers get copies of what an argument was when it was sent, and a large array is sent once for all tasks. If
it is changed meanwhile, by the generator that makes the tasks, by another thread, or (in threads) by a task,
some tasks get it as it was and others as it is. Which ones depends on batches and moments.
"""

import weakref
from collections.abc import Callable, Iterator, Sequence
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, Final

from ..errors import ArgumentChanged
from ..hashing.values import token_of
from ..protocols import Call, StatelessCallable
from .given import Given
from .task import Resumed

__all__ = ["MutationCheck"]

_FIXED: Final = frozenset({bool, bytes, complex, float, int, str, type(None), range, slice, type})

_STATELESS: Final = (FunctionType, BuiltinFunctionType, type, StatelessCallable)


class MutationCheck:
    """The arguments of one call, by their digests. Used by the thread that drives it.

    An argument is looked at whenever a task that has it is read, and at the end of the call if it still
    exists. Nothing is kept alive for it but what Python cannot refer to weakly: lists, tuples, dicts.

    Parameters
    ----------
    copies
        Whether tasks are given the copies of shared objects, which cannot change, or the objects themselves.
    """

    def __init__(self, *, copies: bool) -> None:
        self._copies = copies
        self._seen: dict[int, _Seen] = {}

    def examine(self, calls: Sequence[Call], start: int) -> None:
        """Look at the arguments of tasks that were read, the first of which has the index `start`.

        Raises
        ------
        ArgumentChanged
            One was an argument of an earlier task and has changed since.
        UnhashableError
            One has no content that could be compared; the message names it.
        """
        with Given(copies=self._copies).counted():
            for index, call in enumerate(calls, start):
                for name, value in _arguments(call):
                    self._look(value, f"{name} of task {index}")

    def verify(self) -> None:
        """Look at all of them again: the call is at its end.

        Raises
        ------
        ArgumentChanged
            One is not what it was.
        """
        with Given(copies=self._copies).counted():
            for seen in list(self._seen.values()):
                value = seen.value()
                if value is not None and token_of(value, path=seen.place) != seen.digest:
                    raise _changed(seen.place, "")

    def let_go(self) -> None:
        """Forget all of them."""
        self._seen.clear()

    def _look(self, value: object, place: str) -> None:
        digest = token_of(value, path=place)
        seen = self._seen.get(id(value))
        if seen is None:
            self._note(value, place, digest)
        elif seen.digest != digest:
            raise _changed(seen.place, f"; it is {place}, too")

    def _note(self, value: object, place: str, digest: bytes) -> None:
        key, table = id(value), self._seen

        def forget(_: object) -> None:
            table.pop(key, None)  # before anything else can be made at this place

        table[key] = _Seen(value, forget, place, digest)


class _Seen:
    """An argument that was met, and where it was met first."""

    __slots__ = ("digest", "place", "value")

    def __init__(self, value: Any, forget: Any, place: str, digest: bytes) -> None:
        # Any: arguments of users' functions; a callback of `weakref.ref`
        self.value: Callable[[], Any]
        try:
            self.value = weakref.ref(value, forget)
        except TypeError:
            self.value = lambda: value
        self.place = place
        self.digest = digest


def _arguments(call: Call) -> Iterator[tuple[str, Any]]:  # Any: arguments of users' functions
    """All that a task gets and that may change, each with its name."""
    function, args, kwargs = call
    if isinstance(function, Resumed):  # the key is none of the user's arguments
        args = args[1:]
    elif isinstance(function, MethodType):
        yield "the object of the method", function.__self__
    elif not isinstance(function, _STATELESS):
        yield "the function", function  # a partial, say
    for position, value in enumerate(args):
        if type(value) not in _FIXED:
            yield f"args[{position}]", value
    for name, value in kwargs.items():
        if type(value) not in _FIXED:
            yield name, value


def _changed(place: str, more: str) -> ArgumentChanged:
    return ArgumentChanged(
        f"{place} has changed while the call ran{more}: tasks may have got it as it was, or as it is. "
        "Give each task an object of its own, or change a copy"
    )
