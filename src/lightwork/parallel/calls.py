"""Calls and the types of what they return: `delayed` writes a call down, `TypedCalls` runs those of an input.

``return_as=`` decides between a list and a stream, ``on_error="return"`` puts failures among the results.
Both are parameters of the type of a `Parallel`, which a checker infers from the arguments:
``Parallel(2, return_as="generator")`` is a ``Parallel[Literal["generator"], Literal["raise"]]``. Who writes
``Parallel`` alone means the defaults.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, ParamSpec, TypeAlias, overload

if TYPE_CHECKING:
    from typing_extensions import TypeVar  # with defaults; checkers know it without installing anything

    from .driver import OnError
    from .failures import Failure
    from .options import ReturnAs
    from .stream import Stream

    W_co = TypeVar("W_co", bound="ReturnAs", default=Literal["list"], covariant=True)
    E_co = TypeVar("E_co", bound="OnError", default=Literal["raise"], covariant=True)
else:
    from typing import TypeVar

    W_co = TypeVar("W_co", covariant=True)
    E_co = TypeVar("E_co", covariant=True)

__all__ = ["LIST", "RAISE", "E_co", "TypedCall", "TypedCalls", "W_co", "delayed", "mapped"]

P = ParamSpec("P")
R = TypeVar("R")
A = TypeVar("A")
B = TypeVar("B")

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


# Any: a default of a parameter whose type is a variable must fit every type that it could be.
LIST: Final[Any] = "list"
RAISE: Final[Any] = "raise"

_Plain: TypeAlias = Literal["raise", "skip", "group"]
_Stream: TypeAlias = Literal["generator", "generator_unordered"]

_Lists: TypeAlias = "TypedCalls[Literal['list'], _Plain]"
_MixedLists: TypeAlias = "TypedCalls[Literal['list'], Literal['return']]"
_Streams: TypeAlias = "TypedCalls[_Stream, _Plain]"
_MixedStreams: TypeAlias = "TypedCalls[_Stream, Literal['return']]"
_Any: TypeAlias = "TypedCalls[ReturnAs, OnError]"
"""One whose options are known at run time only."""


class TypedCalls(Generic[W_co, E_co]):
    """The calls of `Parallel`, with the types of what they return; `Parallel` makes them."""

    @abstractmethod
    def _call(self, iterable: Iterable[Any]) -> Any:  # Any: tasks; a list or a generator
        """Run the calls of the input."""

    @overload
    def __call__(self: "_Lists", iterable: "Iterable[TypedCall[R]]") -> list[R]: ...
    @overload
    def __call__(self: "_MixedLists", iterable: "Iterable[TypedCall[R]]") -> "list[R | Failure]": ...
    @overload
    def __call__(self: "_Streams", iterable: "Iterable[TypedCall[R]]") -> "Stream[R]": ...
    @overload
    def __call__(self: "_MixedStreams", iterable: "Iterable[TypedCall[R]]") -> "Stream[R | Failure]": ...
    @overload
    def __call__(self: "_Any", iterable: "Iterable[TypedCall[R]]") -> Any: ...

    def __call__(self, iterable: Iterable[Any]) -> Any:  # Any: see the overloads
        """Run the calls of the input, which is read by this thread (generators: by a thread of the call).

        Returns
        -------
        list or generator
            See `return_as`.

        Raises
        ------
        AlreadyRunning
            This object runs a call already, or its generator has not ended.
        WorkerDied, TaskTimeout, EngineError
            See ``errors``. Errors of tasks and of the input are raised unchanged.
        StoreUnavailable, UnhashableError
            The checkpoint cannot be written; a task cannot be identified in it. Nothing has run if the input
            is a list.
        """
        handed_on = [iterable]
        del iterable  # whoever keeps the traceback of an error shall not keep the input
        return self._call(handed_on.pop())

    @overload
    def map(self: "_Lists", function: Callable[[A], R], first: Iterable[A], /) -> list[R]: ...
    @overload
    def map(
        self: "_Lists", function: Callable[[A, B], R], first: Iterable[A], second: Iterable[B], /
    ) -> list[R]: ...
    @overload
    def map(self: "_Lists", function: Callable[..., R], /, *iterables: Iterable[Any]) -> list[R]: ...
    @overload
    def map(
        self: "_MixedLists", function: Callable[..., R], /, *iterables: Iterable[Any]
    ) -> "list[R | Failure]": ...
    @overload
    def map(self: "_Streams", function: Callable[..., R], /, *iterables: Iterable[Any]) -> "Stream[R]": ...
    @overload
    def map(
        self: "_MixedStreams", function: Callable[..., R], /, *iterables: Iterable[Any]
    ) -> "Stream[R | Failure]": ...
    @overload
    def map(self: "_Any", function: Callable[..., Any], /, *iterables: Iterable[Any]) -> Any: ...

    def map(
        self, function: Callable[..., Any], /, *iterables: Iterable[Any]
    ) -> Any:  # Any: see the overloads
        """The results of ``function(x, y, ...)`` for the items that the built-in `map` would take together.

        The shortest iterable ends it. Returns and raises what calling this object does.

        Raises
        ------
        TypeError
            There is no iterable, or one that cannot be iterated, or the function is `delayed`.
        """
        if isinstance(function, _Delayed):
            raise TypeError("map() takes the function as it is: parallel.map(f, xs), not delayed(f)")
        if not iterables:
            raise TypeError("map() must have at least one iterable: parallel.map(f, xs)")
        return self._call(mapped(function, iterables))
