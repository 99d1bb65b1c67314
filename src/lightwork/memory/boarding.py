"""How a task waits for another computation of its key, without holding up its event loop.

The leader may run in another loop, in another thread or in another process::

    leader's thread ── land ──► wake ── call_soon_threadsafe ──► loop of the waiter: its future is done
    other process: ask for the lease, sleep 1 to 50 ms in the loop, ask again; over a network, in a thread
"""

import asyncio
import functools
import time
from collections.abc import Generator
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
            answer = await _in_thread(flights, ticket, asking) if flights.is_remote else _step(asking)
            waited = waited or flights.is_remote
            if isinstance(answer, bool):
                return Boarded(ticket._replace(has_lease=answer), waited)
            await asyncio.sleep(answer)
            waited = True
    except BaseException:
        flights.land(ticket, failed=True, handed_on=True)
        raise


def _step(asking: Generator[float, None, bool]) -> float | bool:
    """The next pause; or whether the lease was granted."""
    try:
        return next(asking)
    except StopIteration as answer:
        return bool(answer.value)


async def _in_thread(flights: Flights, ticket: Ticket, asking: Generator[float, None, bool]) -> float | bool:
    """As `_step`. If the task is cancelled meanwhile, a lease that is granted all the same is given back."""
    step = asyncio.get_running_loop().run_in_executor(None, _step, asking)
    try:
        return await asyncio.shield(step)
    except asyncio.CancelledError:
        lease = ticket._replace(is_leader=False, has_lease=True)
        step.add_done_callback(functools.partial(_give_back, flights, lease))
        raise


def _give_back(flights: Flights, lease: Ticket, step: "asyncio.Future[float | bool]") -> None:
    if not step.cancelled() and step.exception() is None and step.result() is True:
        flights.land(lease, failed=False)


def _wake(loop: asyncio.AbstractEventLoop, done: "asyncio.Future[bool]", handed_on: bool) -> None:
    try:
        loop.call_soon_threadsafe(_settle, done, handed_on)
    except RuntimeError:  # the loop is closed: nobody waits there any more
        return


def _settle(done: "asyncio.Future[bool]", handed_on: bool) -> None:
    if not done.done():
        done.set_result(handed_on)
