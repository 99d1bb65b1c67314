"""`delayed`: write a call down instead of making it."""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import repeat
from typing import Any, Final, ParamSpec, TypeAlias, TypeVar

__all__ = ["TypedCall", "delayed", "mapped"]

P = ParamSpec("P")
R = TypeVar("R")

TypedCall: TypeAlias = tuple[Callable[..., R], tuple[Any, ...], dict[str, Any]]
"""A `Call` whose function returns an ``R``. Any: the arguments of users' functions."""


def delayed(function: Callable[P, R]) -> Callable[P, TypedCall[R]]:
    """The function, made to write its calls down instead of running them.

    ``delayed(f)(1, b=2)`` is ``(f, (1,), {"b": 2})``, one task of a `Parallel` call. Works on any callable.
    A type checker sees the parameters of `function`.
    """
    return _Delayed(_write_down, function)


def mapped(
    function: Callable[..., R], iterables: tuple[Iterable[Any], ...]
) -> Iterable[TypedCall[R]]:  # Any: arguments of users' functions
    """The calls that ``map(function, *iterables)`` makes; as a list if all of those are lists or tuples."""
    # Nobody changes the keywords: a call copies them.
    calls = zip(repeat(function), zip(*iterables, strict=False), repeat(_NO_KEYWORDS), strict=False)
    return list(calls) if all(isinstance(each, list | tuple) for each in iterables) else calls


_NO_KEYWORDS: Final[dict[str, Any]] = {}


def _write_down(
    function: Callable[..., R], /, *args: Any, **kwargs: Any
) -> TypedCall[R]:  # Any: of users' functions
    return function, args, kwargs


class _Delayed(partial[TypedCall[Any]]):  # Any: what the function returns
    """``_write_down`` bound to a function, with the function's name and documentation.

    Those are looked up when asked for. Copying them, as `functools.wraps` does, costs 1.7 µs: more than the
    whole of a small task may. A subclass of `partial` is made and called in C.
    """

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        function: Callable[..., Any] = self.args[0]
        return function

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]  # a class attribute there, the function's here
        return self.__wrapped__.__doc__

    def __getattr__(self, name: str) -> Any:  # Any: whatever the function carries
        return getattr(self.__wrapped__, name)

    def __repr__(self) -> str:
        return f"delayed({self.__wrapped__!r})"
