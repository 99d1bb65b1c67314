"""What all generators of a call have in common, however they come by their results."""

from abc import abstractmethod
from collections.abc import Generator
from types import TracebackType
from typing import Generic, Self, TypeVar

__all__ = ["Stream"]

R_co = TypeVar("R_co", covariant=True)


class Stream(Generator[R_co, None, None], Generic[R_co]):
    """Results to iterate, also by ``async for``. Nothing can be sent into it, and `throw` ends the call."""

    _over = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of a parallel call that {'goes on' if self.running else 'has ended'}>"

    @property
    def running(self) -> bool:
        """Whether the call goes on: neither exhausted nor closed nor failed."""
        return not self._over

    def send(self, value: None, /) -> R_co:
        """As `next`."""
        return next(self)

    def throw(  # type: ignore[override]  # the old three-argument form is not offered
        self, error: BaseException, value: object = None, traceback: TracebackType | None = None, /
    ) -> R_co:
        """End the call and raise `error`."""
        self.close()
        raise error

    @abstractmethod
    def close(self) -> None:
        """End the call. Safe to call twice."""

    def __aiter__(self) -> Self:
        return self

    @abstractmethod
    async def __anext__(self) -> R_co:
        """As `next`, without blocking the event loop. Cancelling the task that waits ends the call."""

    @abstractmethod
    async def aclose(self) -> None:
        """As `close`, without blocking the event loop."""
