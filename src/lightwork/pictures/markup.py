"""HTML and SVG elements as text. What is no `Markup` yet is escaped, so no value can end up as code."""

from collections.abc import Iterable
from html import escape
from typing import TypeAlias

__all__ = ["Content", "Markup", "element", "joined"]

_VOID = {"br", "input", "link", "meta"}


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Content: TypeAlias = "Markup | str | int | float | None"
"""What may stand in an element. ``None`` is nothing."""


def element(tag: str, /, *content: Content, **attributes: str | int | float | bool | None) -> Markup:
    """One element with what it holds.

    Parameters
    ----------
    attributes
        ``_`` in a name becomes ``-``, one at the end is dropped (``class_``). ``None`` and ``False`` leave an
        attribute out, ``True`` gives it no value.
    """
    opening = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(_text(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if tag in _VOID:
        return Markup(f"<{tag}{opening}>")
    return Markup(f"<{tag}{opening}>{joined(content)}</{tag}>")


def joined(content: Iterable[Content]) -> Markup:
    """One after the other."""
    return Markup("".join(item if isinstance(item, Markup) else escape(_text(item)) for item in content))


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)
