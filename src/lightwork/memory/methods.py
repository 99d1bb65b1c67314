"""Methods: descriptors of either order, and a word about objects that are slow to hash."""

import functools
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import InvalidOption
from ..hashing.signatures import read_signature, unwrap
from ..hashing.values import token_of
from .notices import Notices

if TYPE_CHECKING:
    from ..hashing.calls import CallKey, CallKeys

__all__ = ["around", "is_method", "watched"]

MakeKey: TypeAlias = "Callable[[tuple[Any, ...], Mapping[str, Any]], CallKey]"

_SLOW = 0.01
"""Seconds: a thousand times what the rest of a hit takes."""


def around(descriptor: Any, wrap: Callable[[Callable[..., Any]], Any]) -> Any:
    """``@memory.cache`` above ``@classmethod`` and its like: the same as below it.

    Raises
    ------
    InvalidOption
        A descriptor of a kind that is not known, or a property that cannot be read.
    """
    kind = type(descriptor)
    if kind in (classmethod, staticmethod):
        return kind(wrap(descriptor.__func__))
    if kind is functools.cached_property:
        return kind(wrap(descriptor.func))
    if kind is property and descriptor.fget is not None:
        return property(wrap(descriptor.fget), descriptor.fset, descriptor.fdel, descriptor.__doc__)
    raise InvalidOption(
        f"cannot cache a {kind.__name__} object: put @{kind.__name__} above @memory.cache, not below it"
    )


def is_method(func: Callable[..., Any]) -> bool:
    """Whether the first thing that a function takes is its object, as far as its name tells."""
    return read_signature(unwrap(func).function).names[:1] == ("self",)


def watched(keys: "CallKeys", func: Callable[..., Any], notices: Notices) -> MakeKey:
    """The making of keys for a method; warns once if most of it is to hash a large ``self``."""
    lead = unwrap(func).args

    def key(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> "CallKey":
        start = time.perf_counter()
        call = keys.call(args, kwargs)
        if time.perf_counter() - start > _SLOW and (lead or args) and call.names[:1] == ("self",):
            _tell(keys.function_id, (lead or args)[0], notices)
        return call

    return key


def _tell(name: str, instance: object, notices: Notices) -> None:
    # Alone, and a second time: the first call of a function reads its code as well, and another thread or
    # process may have had the core.
    start = time.thread_time()
    token_of(instance, path="self")
    seconds = time.thread_time() - start
    if seconds > _SLOW:
        notices.warn_once(
            ("self", name),
            f"each call of {name} hashes its object, which took {1000 * seconds:.0f} ms: name what counts of "
            "it, as in @memory.cache(key=lambda self, x: (self.version, x)), or cache a function that takes "
            "only what it uses",
        )
