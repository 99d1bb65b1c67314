"""What kind of function is to be cached, read off its code whatever it is wrapped in."""

from collections.abc import Callable
from typing import Any

from ..errors import InvalidOption
from ..hashing.signatures import unwrap
from ..system.optional import loaded

__all__ = ["check_kind", "is_async"]

_GENERATOR, _COROUTINE, _AWAITABLE_GENERATOR, _ASYNC_GENERATOR = 0x20, 0x80, 0x100, 0x200  # as in `inspect`


def is_async(func: Callable[..., Any]) -> bool:
    """Whether a call gives a coroutine: ``async def``, also in partials, methods and ``__call__``."""
    if _flags(func) & _COROUTINE:
        return True
    inspect = loaded("inspect")  # without it nobody can have marked a function
    return inspect is not None and bool(inspect.iscoroutinefunction(func))


def check_kind(func: Callable[..., Any]) -> None:
    """Refuse functions whose results are used up by reading them.

    They could be read to their end before anyone gets a part, which an endless one never reaches and one
    that gives the same buffer again and again does not survive: nobody but the user can tell.
    """
    flags = _flags(func)
    name = getattr(func, "__qualname__", repr(func))
    if flags & _ASYNC_GENERATOR:
        raise InvalidOption(
            f"{name} is an async generator function, whose results are gone once they are read: cache an "
            f"async function that returns [item async for item in ...]"
        )
    if flags & (_GENERATOR | _AWAITABLE_GENERATOR):
        raise InvalidOption(
            f"{name} is a generator function, whose results are gone once they are read: cache a function "
            f"that returns list(...) of it"
        )


def _flags(func: Callable[..., Any]) -> int:
    flags: int = getattr(getattr(unwrap(func).function, "__code__", None), "co_flags", 0)
    return flags
