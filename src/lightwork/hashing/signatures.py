"""What a callable takes, read once: calls that mean the same are bound to the same values.

``f(1, 2)``, ``f(1, b=2)`` and ``f(1)`` with a default of 2 are one call. Partials, bound methods and callable
instances are opened: what they hold is put before the arguments of the call.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

__all__ = ["Signature", "Target", "read_signature", "unwrap"]

_VARARGS, _VARKEYWORDS = 0x04, 0x08  # flags of a code object
_MISSING: Any = object()


class Target(NamedTuple):
    """A callable opened: calling it is calling `function` with `args` first and `kwargs` below."""

    function: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


def unwrap(function: Callable[..., Any]) -> Target:
    """Open partials, bound methods and instances with ``__call__``, down to a function, class or builtin."""
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    inner: Any = function
    while not isinstance(inner, FunctionType | type):
        if type(inner) is partial:
            args, kwargs, inner = inner.args + args, {**inner.keywords, **kwargs}, inner.func
        elif isinstance(inner, MethodType):
            args, inner = (inner.__self__, *args), inner.__func__
        elif isinstance(inner, staticmethod):
            inner = inner.__func__
        else:
            call = getattr(type(inner), "__call__", None)  # noqa: B004 - the function is wanted, not a claim
            if not isinstance(call, FunctionType):
                return _open_builtin(inner, args, kwargs)
            args, inner = (inner, *args), call
    return Target(inner, args, kwargs)


def _open_builtin(inner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Target:
    """A method of an object written in C: its object is an argument, and may change from call to call."""
    owner = getattr(inner, "__self__", None)
    if owner is not None and not isinstance(owner, ModuleType | type):
        method = getattr(type(owner), getattr(inner, "__name__", ""), None)
        if callable(method):
            return Target(method, (owner, *args), kwargs)
    return Target(inner, args, kwargs)


class Signature:
    """The parameters of a function, and how calls are bound to them.

    Attributes
    ----------
    title
        The function as error messages call it, ``name()``.
    names
        Of the bound values, in order: positional parameters, keyword-only ones, then ``*`` and ``**`` if the
        function takes such.
    plain
        Number of arguments of a call that is bound as it stands (all positional, none by keyword), or -1 if
        there is none such.
    """

    __slots__ = ("_count", "_function", "_positional", "_positional_only", "_rest", "names", "plain", "title")

    def __init__(
        self,
        title: str,
        *,
        positional: tuple[str, ...],
        positional_only: int,
        keyword_only: tuple[str, ...],
        rest: bool,
        keywords: bool,
        function: Any = None,
    ) -> None:
        self.title = title
        self._positional = positional
        self._positional_only = positional_only
        self._count = len(positional) + len(keyword_only)
        self._rest = (rest, keywords)
        self._function = function
        self.names = positional + keyword_only + ("*",) * rest + ("**",) * keywords
        self.plain = -1 if keyword_only or rest or keywords else len(positional)

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
        """The value of each of `names`.

        Raises
        ------
        TypeError
            The function could not be called so.
        """
        rest, keywords = self._rest
        positional = len(self._positional)
        values: list[Any] = list(args[:positional])
        extra = args[positional:]
        if extra and not rest:
            raise TypeError(
                f"{self.title} takes {positional} positional arguments but {len(args)} were given"
            )
        values += [_MISSING] * (self._count - len(values))
        others = self._place(values, kwargs) if kwargs else {}
        if others and not keywords:
            raise TypeError(f"{self.title} got an unexpected keyword argument {next(iter(others))!r}")
        self._fill(values)
        if rest:
            values.append(extra)
        if keywords:
            values.append(others)
        return values

    def _place(self, values: list[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Put keyword arguments where they belong; those that belong nowhere are given back."""
        others = {}
        places = self.names[: self._count]
        for name, value in kwargs.items():
            try:
                place = places.index(name, self._positional_only)
            except ValueError:
                others[name] = value
                continue
            if values[place] is not _MISSING:
                raise TypeError(f"{self.title} got multiple values for argument {name!r}")
            values[place] = value
        return others

    def _fill(self, values: list[Any]) -> None:
        for place, value in enumerate(values):
            if value is _MISSING:
                values[place] = self._default(place)

    def _default(self, place: int) -> Any:
        """The default of a parameter as it is now: defaults can be assigned to."""
        name, function = self.names[place], self._function
        required = len(self._positional)
        if place >= required:
            given = function.__kwdefaults__ or {}
            if name in given:
                return given[name]
        else:
            defaults = function.__defaults__ or ()
            required -= len(defaults)
            if place >= required:
                return defaults[place - required]
        raise TypeError(f"{self.title} is missing the required argument {name!r}")


def read_signature(function: Any) -> Signature:  # Any: whatever `unwrap` ends at
    """The signature of an unwrapped callable; one without code takes anything (``*`` and ``**``)."""
    title = f"{getattr(function, '__qualname__', type(function).__qualname__)}()"
    code = getattr(function, "__code__", None)
    # Others that wrap a function may show its code as theirs and call it with other arguments.
    wraps = not isinstance(function, FunctionType) and hasattr(function, "__wrapped__")
    if wraps or not isinstance(code, CodeType):
        return _anything(title)
    count, keyword_only = code.co_argcount, code.co_kwonlyargcount
    names = code.co_varnames
    positional = names[:count]
    return Signature(
        title,
        positional=positional,
        positional_only=code.co_posonlyargcount,
        keyword_only=names[count : count + keyword_only],
        rest=bool(code.co_flags & _VARARGS),
        keywords=bool(code.co_flags & _VARKEYWORDS),
        function=function,
    )


def _anything(title: str) -> Signature:
    return Signature(title, positional=(), positional_only=0, keyword_only=(), rest=True, keywords=True)
