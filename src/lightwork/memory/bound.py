"""A cached method that knows its object."""

from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from .. import memory
from .facts import Metadata
from .shelved import AnyResult, MemorizedResult, NotMemorizedResult

if TYPE_CHECKING:
    from .basis import Basis
    from .cached import CachedFunction
    from .plan import Plan
    from .reasons import Explanation

__all__ = ["BoundCachedFunction"]

S = TypeVar("S")
T = TypeVar("T")
P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class BoundCachedFunction(Generic[S, P, R_co]):
    """``instance.method`` of a cached method: the `CachedFunction` with its first argument filled in.

    Attributes
    ----------
    __self__, __func__
        The object, and the cached function of the class.
    """

    __slots__ = ("__func__", "__self__")

    def __init__(self, instance: S, cached: "CachedFunction[Concatenate[S, P], R_co]") -> None:
        self.__self__ = instance
        self.__func__ = cached

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """As `CachedFunction.__call__`."""
        return self.__func__(self.__self__, *args, **kwargs)

    @overload
    def call(
        self: "BoundCachedFunction[S, P, AnyResult]", /, *args: P.args, **kwargs: P.kwargs
    ) -> "tuple[Any, Metadata]": ...

    @overload
    def call(  # type: ignore[overload-overlap]  # the narrower one is first
        self: "BoundCachedFunction[S, P, Coroutine[Any, Any, T]]", /, *args: P.args, **kwargs: P.kwargs
    ) -> "Coroutine[Any, Any, tuple[T, Metadata]]": ...

    @overload
    def call(self, /, *args: P.args, **kwargs: P.kwargs) -> tuple[R_co, Metadata]: ...

    def call(self, /, *args: P.args, **kwargs: P.kwargs) -> Any:  # Any: see the overloads
        """As `CachedFunction.call`."""
        return self.__func__.call(self.__self__, *args, **kwargs)

    @overload
    def call_and_shelve(
        self: "BoundCachedFunction[S, P, AnyResult]", /, *args: P.args, **kwargs: P.kwargs
    ) -> "MemorizedResult[Any] | NotMemorizedResult[Any]": ...

    @overload
    def call_and_shelve(  # type: ignore[overload-overlap]  # the narrower one is first
        self: "BoundCachedFunction[S, P, Coroutine[Any, Any, T]]", /, *args: P.args, **kwargs: P.kwargs
    ) -> "Coroutine[Any, Any, MemorizedResult[T] | NotMemorizedResult[T]]": ...

    @overload
    def call_and_shelve(
        self, /, *args: P.args, **kwargs: P.kwargs
    ) -> MemorizedResult[R_co] | NotMemorizedResult[R_co]: ...

    def call_and_shelve(self, /, *args: P.args, **kwargs: P.kwargs) -> Any:  # Any: see the overloads
        """As `CachedFunction.call_and_shelve`."""
        return self.__func__.call_and_shelve(self.__self__, *args, **kwargs)

    def recall(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
        """As `CachedFunction.recall`."""
        return self.__func__.recall((self.__self__, *args), kwargs)

    def resume(self, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> R_co:
        """As `CachedFunction.resume`."""
        return self.__func__.resume(key, (self.__self__, *args), kwargs)

    def basis(self) -> "Basis":
        """As `CachedFunction.basis`."""
        return self.__func__.basis()

    def differing(self, basis: "Basis") -> list[str]:
        """As `CachedFunction.differing`."""
        return self.__func__.differing(basis)

    def check_call_in_cache(self, /, *args: P.args, **kwargs: P.kwargs) -> bool:
        """As `CachedFunction.check_call_in_cache`."""
        return self.__func__.check_call_in_cache(self.__self__, *args, **kwargs)

    def explain(self, /, *args: P.args, **kwargs: P.kwargs) -> "Explanation":
        """As `CachedFunction.explain`."""
        return self.__func__.explain(self.__self__, *args, **kwargs)

    def forget(self, /, *args: P.args, **kwargs: P.kwargs) -> bool:
        """As `CachedFunction.forget`."""
        return self.__func__.forget(self.__self__, *args, **kwargs)

    def plan(self, calls: Iterable[object]) -> "Plan":
        """As `CachedFunction.plan`."""
        given = map(memory.plan.arguments, calls)
        return self.__func__.plan(each._replace(args=(self.__self__, *each.args)) for each in given)

    def __getattr__(self, name: str) -> Any:  # Any: whatever the cached function has
        if name.startswith("__") and name.endswith("__") and name not in _PASSED_ON:
            raise AttributeError(name)
        return getattr(self.__func__, name)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, BoundCachedFunction)
            and self.__self__ is other.__self__
            and self.__func__ is other.__func__
        )

    def __hash__(self) -> int:
        return hash((id(self.__self__), id(self.__func__)))

    def __reduce__(self) -> tuple[object, ...]:
        return BoundCachedFunction, (self.__self__, self.__func__)

    def __repr__(self) -> str:
        return f"BoundCachedFunction({self.__func__!r})"


_PASSED_ON = frozenset(("__name__", "__qualname__", "__module__", "__doc__"))
