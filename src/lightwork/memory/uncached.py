"""What `Memory(None)` makes of a function: the same names, and nothing is kept."""

import functools
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from .. import memory
from .facts import Metadata
from .shelved import NotMemorizedResult

if TYPE_CHECKING:
    from .plan import Plan
    from .reasons import Explanation
    from .stats import CallStats

__all__ = ["UncachedFunction"]

P = ParamSpec("P")
R = TypeVar("R")


class UncachedFunction(Generic[P, R]):
    """A function that is called through, with the methods of a `CachedFunction`."""

    def __init__(self, func: Callable[P, R]) -> None:
        copied = functools.WRAPPER_UPDATES if type(func) is type(_get) else ()
        functools.update_wrapper(self, func, updated=copied)
        self.func = func
        self._calls = 0

    if sys.version_info >= (3, 14):  # where `update_wrapper` copies what makes them, to be run when needed

        def __getattr__(self, name: str) -> Any:
            if name == "__annotations__":
                return self.func.__annotations__
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the function."""
        self._calls += 1
        return self.func(*args, **kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:  # Any: whatever the function makes of it
        return self if instance is None else _get(self, instance)

    def call(self, /, *args: P.args, **kwargs: P.kwargs) -> tuple[R, Metadata]:
        """The result, and no metadata."""
        return self.func(*args, **kwargs), {}

    def call_and_shelve(self, /, *args: P.args, **kwargs: P.kwargs) -> NotMemorizedResult[R]:
        """The result, in the form of a reference."""
        return NotMemorizedResult(self.func(*args, **kwargs))

    def check_call_in_cache(self, /, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Nothing is ever kept."""
        return False

    def explain(self, /, *args: P.args, **kwargs: P.kwargs) -> "Explanation":
        """Nothing is ever kept."""
        return memory.Explanation(False, "nothing is kept: Memory was given no location")

    def forget(self, /, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Nothing is ever kept."""
        return False

    def clear(self, warn: bool = True) -> None:
        """Nothing is ever kept."""

    def plan(self, calls: Iterable[object]) -> "Plan":
        """Every call would be computed; their time is not known."""
        return memory.plan.plan_without_store(self.func, map(memory.plan.arguments, calls))

    def stats(self) -> "CallStats":
        """Every call is a miss; their time is not taken."""
        return memory.CallStats(0, self._calls, 0.0)

    def __repr__(self) -> str:
        return f"UncachedFunction(func={self.func!r})"


def _get(function: UncachedFunction[P, R], instance: object) -> Any:  # Any: as `__get__`
    func: Any = function.func
    return type(function)(functools.partial(func, instance))
