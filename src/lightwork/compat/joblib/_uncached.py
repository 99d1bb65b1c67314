"""Functions and results of a `Memory` that keeps nothing: the methods of those that are kept."""

import pprint
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["AsyncNotMemorizedFunc", "NotMemorizedFunc", "NotMemorizedResult"]

# Any: functions, arguments and results are the user's.


class NotMemorizedResult:
    """A result itself, with the methods of a reference: for a `Memory` that keeps nothing."""

    __slots__ = ("valid", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.valid = True

    def get(self) -> Any:
        """The result. `KeyError` after `clear`."""
        if not self.valid:
            raise KeyError("No value stored.")
        return self.value

    def clear(self) -> None:
        """Forget the result."""
        self.valid = False
        self.value = None

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"{name}({pprint.pformat(self.value)})" if self.valid else f"{name} with no value"

    def __getstate__(self) -> dict[str, Any]:
        return {"valid": self.valid, "value": self.value}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.valid = state["valid"]
        self.value = state["value"]


class NotMemorizedFunc:
    """A function with the methods of one whose results are kept: for a `Memory` that keeps nothing."""

    def __init__(self, func: Callable[..., Any]) -> None:
        self.func = func

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function returns."""
        return self.func(*args, **kwargs)

    def call_and_shelve(self, *args: Any, **kwargs: Any) -> Any:
        """What the function returns, with the methods of a reference."""
        return NotMemorizedResult(self.func(*args, **kwargs))

    def call(self, *args: Any, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """What the function returns, and that nothing is known of it."""
        return self.func(*args, **kwargs), {}

    def check_call_in_cache(self, *args: Any, **kwargs: Any) -> bool:
        """No."""
        return False

    def clear(self, warn: bool = True) -> None:
        """There is nothing to remove."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(func={self.func})"


class AsyncNotMemorizedFunc(NotMemorizedFunc):
    """A coroutine function with the methods of one whose results are kept."""

    async def call_and_shelve(self, *args: Any, **kwargs: Any) -> Any:
        """What the function returns, with the methods of a reference."""
        return NotMemorizedResult(await self.func(*args, **kwargs))
