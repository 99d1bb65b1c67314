"""Names that nobody knows: which was probably meant. Options are refused with it, in one way."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import InvalidOption
from .optional import on_demand

__all__ = ["nearest", "refuse_unknown"]


def nearest(word: str, known: Sequence[str]) -> list[str]:
    """The one of the `known` words that was probably meant; none if none is like it."""
    found: list[str] = on_demand("difflib").get_close_matches(word, known, 1)
    return found


def refuse_unknown(name: str, options: Mapping[str, Any], function: Callable[..., Any]) -> None:
    """Raise `InvalidOption` for keywords that a method of ours does not know, if there are any.

    Parameters
    ----------
    name
        What the message calls it.
    options
        Keywords that were left over.
    function
        The method, whose parameters may have been meant.
    """
    # Any: whatever was given
    if not options:
        return
    code = function.__code__
    known = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    near = list(dict.fromkeys(match for key in options for match in nearest(key, known)))
    listed = ", ".join(f"{key}={value!r}" for key, value in options.items())
    hint = f": did you mean {', '.join(near)}?" if near else ""
    raise InvalidOption(f"{name} has no option {listed}{hint}")
