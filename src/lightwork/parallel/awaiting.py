"""Waiting for results in an event loop. A module of its own, since `asyncio` is slow to import."""

import asyncio
import contextlib
from collections.abc import Callable
from queue import Empty
from typing import Any

from .results import Channel, Chunk, no_result

__all__ = ["arrival", "in_thread"]


async def arrival(channel: Channel, timeout: float | None) -> Chunk:
    """The next chunk, as soon as it is there.

    Raises
    ------
    TaskTimeout
        Nothing came within `timeout` seconds.
    """
    loop = asyncio.get_running_loop()
    event = asyncio.Event()

    def arrived() -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits
            loop.call_soon_threadsafe(event.set)

    channel.arrived = arrived
    try:
        while True:
            with contextlib.suppress(Empty):
                return channel.chunks.get_nowait()
            await asyncio.wait_for(event.wait(), timeout)
            event.clear()
    except TimeoutError:
        raise no_result(timeout) from None
    finally:
        channel.arrived = None


async def in_thread(function: Callable[[], Any]) -> Any:  # Any: what the function returns
    """Call a function that blocks, in a thread."""
    return await asyncio.to_thread(function)
