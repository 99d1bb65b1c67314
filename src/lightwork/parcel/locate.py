"""Which part of a value cannot be pickled: found after the failure, by trying the parts one by one.

The search walks down from the root. On each level it pickles the children separately into nothing and
descends into the first that fails, until a failing part has no failing child. It gives up after a bounded
time and names the deepest part that it is sure of.
"""

import pickle
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from ..system.optional import loaded

__all__ = ["PicklerMaker", "failing_part"]

_SECONDS = 1.0
_DEPTH = 100

# Any: a pickler of the standard library or of cloudpickle.
PicklerMaker: TypeAlias = Callable[[Any], Any]
_Part: TypeAlias = "tuple[str, object]"


class _OutOfTimeError(Exception):
    """The search has lasted long enough."""


class _Nothing:
    """A file that forgets, and that ends a trial which takes too long."""

    def __init__(self, deadline: float, clock: Callable[[], float]) -> None:
        self._deadline = deadline
        self._clock = clock

    def write(self, data: bytes) -> int:
        if self._clock() > self._deadline:
            raise _OutOfTimeError
        return len(data)


def failing_part(
    value: object,
    path: str,
    make_pickler: PicklerMaker,
    *,
    seconds: float = _SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> str:
    """The path of the innermost part that cannot be pickled, such as ``value[1].model``.

    Parameters
    ----------
    value, path
        A value that `make_pickler`'s pickler refuses, and what to call it.
    seconds
        After about this time the path found so far is the answer.
    """
    trial = make_pickler(_Nothing(clock() + seconds, clock))
    try:
        for _ in range(_DEPTH):
            part = next((part for part in _parts(value, path) if not _pickles(trial, part[1])), None)
            if part is None:
                return path
            path, value = part
    except _OutOfTimeError:
        pass  # the path so far is true, only not as deep as it could be
    return path


def _pickles(trial: Any, value: object) -> bool:  # Any: see PicklerMaker
    trial.clear_memo()
    try:
        trial.dump(value)
    except _OutOfTimeError:
        raise
    except Exception:  # noqa: BLE001 - taking a value apart runs users' code, which may raise anything
        return False
    return True


def _parts(value: object, path: str) -> Iterator[_Part]:
    """The children of a value, each with its path, in the order in which pickle meets them."""
    if isinstance(value, dict):
        yield from _entries(value, path)
    elif isinstance(value, list | tuple):
        yield from ((f"{path}[{index}]", item) for index, item in enumerate(value))
    elif isinstance(value, set | frozenset):
        yield from ((f"{path}{{...}}", item) for item in value)
    elif not isinstance(value, type):
        yield from _inside(value, path)
    if type(value) not in (dict, list, tuple, set, frozenset):
        yield from _state(value, path)


def _entries(mapping: dict[Any, Any], path: str) -> Iterator[_Part]:
    for key, item in mapping.items():
        place = f"{path}[{_key_text(key)}]"
        yield f"key {place}", key
        yield place, item


def _key_text(key: object) -> str:
    """A dict key as people would write it; never a user's ``__repr__``."""
    if type(key) in (str, int, float, bool, bytes, type(None)):
        text = repr(key)
        return text if len(text) <= 60 else f"{text[:57]}..."
    return f"<{type(key).__qualname__}>"


def _inside(value: object, path: str) -> Iterator[_Part]:
    numpy = loaded("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray) and value.dtype == object:
        for index, item in numpy.ndenumerate(value):
            yield f"{path}[{', '.join(map(str, index))}]", item


def _state(value: object, path: str) -> Iterator[_Part]:
    """What the object's own reduction consists of: attributes by name, the rest under the object's path."""
    try:
        reduced = value.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
    except Exception:  # noqa: BLE001 - as in `_pickles`; then this very object is the one that fails
        return
    if not isinstance(reduced, tuple) or len(reduced) < 2:
        return
    state = reduced[2] if len(reduced) > 2 else None
    for layer in state if isinstance(state, tuple) and len(state) == 2 else (state,):
        if isinstance(layer, dict):
            yield from ((f"{path}.{name}", item) for name, item in layer.items())
        elif layer is not None:
            yield path, layer
    if isinstance(reduced[1], tuple):
        yield from ((path, argument) for argument in reduced[1])
