"""A value that a survey of code found and that can change in place: it is hashed at each call."""

from typing import Any, NamedTuple

from ..errors import UnhashableError
from .states import Outline
from .values import token_of

__all__ = ["Live"]


class Live(NamedTuple):
    """A value that can change in place, to be hashed at each call. `path` names it in errors."""

    path: str
    value: Any
    holds_code: bool = False
    """Whether functions or classes in it were followed, so that another content needs another survey."""

    outline: Outline | None = None
    """Reduces a value that only counts in part, or that holds objects."""

    is_held: bool = False
    """Held by a function itself: it has a content, or calls fail. Globals without one are not tracked."""

    @property
    def identity(self) -> tuple[int, bool, bool]:
        """Tells it from others: one value may be met under many names."""
        return id(self.value), self.outline is None, self.is_held

    def token(self) -> bytes:
        """Stands for the content as it is now."""
        if self.is_held:
            return token_of(self.value, path=self.path)
        value = self.value
        try:
            return token_of(value if self.outline is None else self.outline.of(value), path=self.path)
        except (UnhashableError, RecursionError):  # it became another thing since the survey
            return b"-"
