"""How a task waits for another computation of its key, without holding up its event loop.

The leader may run in another loop, in another thread or in another process::

    leader's thread ── land ──► wake ── call_soon_threadsafe ──► loop of the waiter: its future is done
    other process: ask for the lease, sleep 1 to 50 ms in the loop, ask again
"""

import asyncio
import functools
import time
from typing import NamedTuple

from .flights import Flights, Ticket

__all__ = ["Boarded", "board"]


class Boarded(NamedTuple):
    """A ticket, and whether other tasks of the loop may have run before it was got."""

    ticket: Ticket
    waited: bool


async def board(flights: Flights, key: bytes, *, bound: float) -> Boarded:
    """As `Flights.board`, in a task. A leader that is cancelled hands on its place to one of the waiters."""
    loop = asyncio.get_running_loop()
    deadline = time.monotonic() + bound
    waited = False
    while True:
        done: asyncio.Future[bool] = loop.create_future()
        ticket = flights.join(key, functools.partial(_wake, loop, done))
        if ticket is not None:
            break
        waited = True
        await asyncio.wait([done], timeout=max(deadline - time.monotonic(), 0.0))
        if (
            not done.done() or not done.result()
        ):  # too late, or there is a result or an error: look, or compute
            return Boarded(Ticket(key, False, False), True)
    return await _lease(flights, ticket, waited, bound) if ticket.is_leader else Boarded(ticket, waited)


async def _lease(flights: Flights, ticket: Ticket, waited: bool, bound: float) -> Boarded:
    """Get the lease of the ticket's key, if that is possible."""
    asking = flights.asking(ticket.key, bound=bound)
    try:
        while True:
            await asyncio.sleep(next(asking))
            waited = True
    except StopIteration as answer:
        return Boarded(ticket._replace(has_lease=bool(answer.value)), waited)
    except BaseException:
        flights.land(ticket, failed=True, handed_on=True)
        raise


def _wake(loop: asyncio.AbstractEventLoop, done: "asyncio.Future[bool]", handed_on: bool) -> None:
    try:
        loop.call_soon_threadsafe(_settle, done, handed_on)
    except RuntimeError:  # the loop is closed: nobody waits there any more
        return


def _settle(done: "asyncio.Future[bool]", handed_on: bool) -> None:
    if not done.done():
        done.set_result(handed_on)
