"""What ``compress=`` says, of files and of kept results: a method and a level. Pure."""

from collections.abc import Iterable
from typing import Any

from ..errors import InvalidOption

__all__ = ["method_and_level", "unknown_method"]

_LEVELS = "a level from 1 to 9, 0 for none"


def method_and_level(compress: Any, known: Iterable[str]) -> tuple[str | None, int | None]:
    """The method and the level that `compress` names; ``None`` for those that it leaves open.

    ``True`` and ``None`` leave both open, ``False`` is level 0. `known` are the methods for an error to name.

    Raises
    ------
    InvalidOption
        It is nothing of this kind, or the level is none from 0 to 9.
    """
    # Any: it is checked here
    if compress is True or compress is None:
        return None, None
    if isinstance(compress, str):
        return compress, None
    if isinstance(compress, tuple | list):
        if len(compress) != 2:
            raise InvalidOption(
                "Compress argument tuple should contain exactly 2 elements, (method, level): "
                f"{compress!r} was given"
            )
        method, level = compress
        if not isinstance(method, str):
            raise unknown_method(repr(method), known)
        return method, None if level is None else _level(level)
    return None, _level(compress)


def unknown_method(method: str, known: Iterable[str]) -> InvalidOption:
    """The error for a method that there is not."""
    names = ", ".join(map(repr, known))
    return InvalidOption(f'Non valid compression method given: "{method}": give one of {names}')


def _level(level: Any) -> int:  # Any: it is checked here
    if level is False:
        return 0
    try:
        number = range(10).index(level)
    except ValueError:
        raise InvalidOption(f'Non valid compress level given: "{level!r}": give {_LEVELS}') from None
    return number
