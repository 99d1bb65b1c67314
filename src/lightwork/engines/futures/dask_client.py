"""What is done with a client of Dask, by the engine and by other backends on it.

Data near its workers, results that come here, tasks that nobody waits for, the place of one that waits.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from ...errors import EngineError
from ...system.optional import on_demand
from .session import Pending

__all__ = ["DaskDepot", "brought", "cancel", "leave_place"]

# Any throughout: clients, futures and data are those of `distributed` and of users.

_LOST: Final = frozenset({"cancelled", "lost", "error"})
"""What Dask says of scattered data that is gone."""


class DaskDepot:
    """A `Depot`: what is scattered lies on the workers, which get it from each other too."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def store(self, thing: Any, *, everywhere: bool) -> Any:
        """Scatter, under a key that nothing else has."""
        return self._scattered(thing, broadcast=everywhere, hash=False)

    def store_by_content(self, thing: Any, *, everywhere: bool) -> Any:
        """Scatter, under the key that ``client.scatter`` gives by itself: equal data is there once."""
        return self._scattered(thing, broadcast=everywhere, hash=True)

    def is_lost(self, reference: Any) -> bool:
        """Whether its worker was lost."""
        return reference.status in _LOST

    def _scattered(self, thing: Any, **options: bool) -> Any:
        try:
            (future,) = self._client.scatter([thing], **options)
        except (OSError, TimeoutError) as error:
            raise EngineError(f"no worker of Dask takes data: {type(error).__name__}: {error}") from error
        return future


def brought(client: Any, task: Any) -> Pending:
    """A ``concurrent.futures.Future`` of what a task gives: its result comes here as soon as it is there."""
    asyncio = on_demand("asyncio")
    pending: Pending = asyncio.run_coroutine_threadsafe(_value(task), client.loop.asyncio_loop)
    return pending


def cancel(client: Any, tasks: Sequence[Any]) -> None:
    """Have tasks cancelled that have not begun. Does not wait for it: safe in the client's own thread too."""
    on_demand("asyncio").run_coroutine_threadsafe(_cancelled(client, tasks), client.loop.asyncio_loop)


def leave_place(distributed: Any) -> Callable[[], object]:
    """In a task of Dask: let another task have its place. Returns what waits for a place again."""
    try:
        distributed.secede()
    except (ValueError, AttributeError, KeyError):  # not in a task, or its place was left before
        return _nothing
    thread = threading.get_ident()

    def come_back() -> None:
        # A generator may be closed by another thread, which has no place; the task then ends without one.
        if threading.get_ident() == thread:
            distributed.rejoin()

    return come_back


async def _value(task: Any) -> Any:
    return await task


async def _cancelled(client: Any, tasks: Sequence[Any]) -> None:
    await client.cancel(tasks, asynchronous=True)


def _nothing() -> None:
    """Nothing was left."""
