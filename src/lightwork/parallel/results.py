"""The generator that a parallel call returns, and the thread that keeps it filled.

::

    pump thread:  driver.step() ──► chunks (SimpleQueue) ──► reader's thread: next()
         ▲                                                        │
         └── session.wake() ◄── cancelled / consumed (Channel) ◄─────┘

`SimpleQueue` is the only thing that both sides change; it may be used from finalizers, which can run in the
middle of anything. `Driver.cancelled` and `Channel.consumed` are each written by one side only.
The pump holds the channel, never the generator: a generator that nobody refers to is collected, closes the
channel and so ends the pump, also when it is part of a reference cycle, and at exit of the interpreter.
"""

import threading
import weakref
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias

from .. import parallel  # its `awaiting` is loaded by the first `async for`
from ..errors import EngineError, TaskTimeout
from ..protocols import Session, Unfetched
from ..system.queues import received
from ..system.signals import begin
from .driver import Driver
from .failures import no_end
from .stream import Stream

__all__ = ["Channel", "Chunk", "Results", "no_result", "stream"]


_PATIENCE = 0.2
"""Seconds to wait for an input that is just being advanced."""

_LONG_PATIENCE = 2.0
"""Seconds to wait for a pump that does something else: it may pickle, copy, or call a progress function."""

Chunk: TypeAlias = list[Any] | BaseException | None
"""Values (Any: of users' functions); the error that ends the call, or ``None`` for its end."""


class Channel:
    """What the pump and the reader share."""

    __slots__ = ("_owner", "arrived", "chunks", "closing", "consumed", "driver", "session", "starved")

    def __init__(self, driver: Driver, session: Session) -> None:
        self.driver = driver
        self.session = session
        self.chunks: SimpleQueue[Chunk] = SimpleQueue()
        self.arrived: Callable[[], None] | None = None
        """Called by the pump after it has put a chunk. Written by the reader, before it looks for one."""
        self.consumed = 0
        """Values that the reader has taken. Written by the reader."""
        self.starved = False
        """The pump waits and would like to hear of values taken. Written by the pump."""
        self.closing = False
        """The pump closes the session, which no code of users can hold up. Written by the pump."""
        self._owner = threading.Lock()

    def claim(self) -> bool:
        """Whether the session is the caller's to close: the pump's, unless it could not be started before."""
        return self._owner.acquire(blocking=False)

    def put(self, chunk: Chunk) -> None:
        """Hand a chunk to the reader. Called by the pump."""
        self.chunks.put(chunk)
        arrived = self.arrived
        if arrived is not None:
            arrived()

    def close(self) -> None:
        """Ask the pump to stop. Safe from any thread and from finalizers."""
        self.driver.cancelled = True
        self.session.wake()


class Results(Stream[Any]):  # Any: results of users' functions
    """The results of one call, as they are ready. Iterate it, from one thread at a time.

    Errors of tasks and of the input are raised by `next` after the results that were ready before; the
    generator is then at its end. `close`, or losing the last reference, ends the call: tasks that run are
    killed (threads: abandoned), tasks that wait are forgotten. ``async for`` works as well.
    """

    def __init__(self, channel: Channel, pump: threading.Thread, timeout: float | None) -> None:
        self._channel = channel
        self._pump = pump
        self._timeout = timeout
        self._chunk: list[Any] = []  # the next value last
        self._reading = threading.Lock()
        self._finalizer = weakref.finalize(self, _stop, channel, pump)

    def __next__(self) -> Any:
        while not self._chunk:
            if self._over:
                raise StopIteration
            if not self._reading.acquire(blocking=False):
                raise ValueError("another thread waits for the next result of this generator: read it in one")
            try:
                self._refill()
            except BaseException:
                self.close()
                raise
            finally:
                self._reading.release()
        channel = self._channel
        try:
            value = self._chunk.pop()
        except IndexError:  # another thread took it meanwhile
            return next(self)
        if type(value) is Unfetched:
            value = self._fetched(value)
        channel.consumed += 1
        if channel.starved:
            channel.session.wake()
        return value

    def close(self) -> None:
        """End the call, and wait until its workers are free again. Safe to call twice.

        If the input is being advanced this waits 0.2 s at most, and two seconds if an argument is being
        pickled, a result rebuilt or a progress function called: that code may never come back.
        """
        self._over = True
        self._chunk = []
        self._finalizer()

    async def __anext__(self) -> Any:
        """As `next`, without blocking the event loop. Cancelling the task that waits ends the call."""
        while not self._chunk:
            if self._over:
                raise StopAsyncIteration
            try:
                self._check_process()
                arrived = await parallel.awaiting.arrival(self._channel, self._timeout)
                self._take(arrived)
            except BaseException:
                self._over = True
                self._channel.close()  # nobody waits here for the workers to be free
                raise
        value = self._chunk[-1]
        if type(value) is Unfetched:
            self._chunk[-1] = await parallel.awaiting.in_thread(partial(self._fetched, value))
        return next(self)

    async def aclose(self) -> None:
        """As `close`, without blocking the event loop."""
        await parallel.awaiting.in_thread(self.close)

    def _check_process(self) -> None:
        # The last thing that a pump does is to put an outcome; only a fork ends it without one.
        if not self._pump.is_alive() and self._channel.chunks.empty():
            raise EngineError("this generator belongs to the process that this one is forked from")

    def _fetched(self, value: Unfetched) -> Any:
        try:
            return value.fetch()
        except BaseException:
            self.close()
            raise

    def _refill(self) -> None:
        self._check_process()
        try:
            self._take(received(self._channel.chunks, self._timeout))
        except Empty:
            raise no_result(self._timeout) from None

    def _take(self, chunk: Chunk) -> None:
        if chunk is None:
            self.close()
        elif isinstance(chunk, BaseException):
            no_end(chunk)
            raise chunk
        else:
            chunk.reverse()
            self._chunk = chunk


def no_result(timeout: float | None) -> TaskTimeout:
    """The error for a reader that has waited too long."""
    return TaskTimeout(f"no result within timeout={timeout} s; the call was ended")


def stream(driver: Driver, session: Session, timeout: float | None, ended: Callable[[], None]) -> Results:
    """Start the pump thread of a call and return the generator that it fills.

    The pump owns the session and closes it; then it calls `ended`.
    """
    channel: Channel | None = None
    pump: threading.Thread | None = None
    try:
        channel = Channel(driver, session)
        pump = threading.Thread(
            target=copy_context().run,  # the input may be a generator that reads the caller's variables
            args=(_pump, driver, channel, ended),
            name="lightwork-pump",
            daemon=True,  # the finalizer ends it at exit; joining it there would wait for a reader for ever
        )
        begin(pump)
        return Results(channel, pump, timeout)
    except BaseException:
        # Interrupted, or there are no more threads. In the first case the pump may run all the same, or begin
        # to later on, so whoever comes first has the session.
        if channel is None or pump is None or channel.claim():
            session.close(abort=True)
            driver.release()
            ended()
        else:
            _stop(channel, pump)
        raise


def _stop(channel: Channel, pump: threading.Thread) -> None:
    channel.close()
    # The finalizer may run inside the pump itself. And the pump looks at `cancelled` after it has set
    # `reading`, so either it sees that it is over, or we see that it is busy with the input.
    if pump is not threading.current_thread():
        pump.join(_PATIENCE if channel.driver.reading else _LONG_PATIENCE)
        if channel.closing:
            pump.join()


def _pump(driver: Driver, channel: Channel, ended: Callable[[], None]) -> None:
    if not channel.claim():
        return
    outcome: BaseException | None = None
    try:
        driver.start()
        _run(driver, channel)
    except BaseException as error:  # noqa: BLE001 - carried to the reader, who raises it
        outcome = error
    channel.closing = True
    try:
        channel.session.close(abort=outcome is not None or not driver.ended)
        ended()
    except BaseException as error:  # noqa: BLE001 - likewise; without an outcome the reader would wait for ever
        outcome = outcome or error
    if outcome is not None:
        if driver.out:
            channel.put(driver.out)
        driver.release()
    channel.put(outcome)
    del outcome  # its traceback refers to this frame


def _run(driver: Driver, channel: Channel) -> None:
    told = 0  # consumed values that the flow knows of
    emitted = 0
    while True:
        if driver.emitted != emitted:
            emitted = driver.emitted
            values, driver.out = driver.out, []
            # Nothing, if all were skipped: a reader who waits counts his `timeout` anew from each result.
            if values or channel.chunks.empty():
                channel.put(values)
        if driver.ended or driver.cancelled:
            return
        # Set before looking: a reader that takes a value after the look sees the flag and wakes us.
        channel.starved = True
        taken = channel.consumed + driver.dropped
        if taken != told:
            driver.consumed(taken - told)
            told = taken
            continue
        driver.step()
        channel.starved = False
