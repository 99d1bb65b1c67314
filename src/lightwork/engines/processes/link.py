"""The parent's end of one worker: its socket, its control page, its token counter, and what it knows."""

import contextlib
import os
import select
import socket
import time
from collections.abc import Iterator, Mapping
from typing import Protocol

from ...system.segments import create_segment
from ..workers.channel import Frame, Inbox, Outbox
from ..workers.control import Message
from ..workers.environment import Environment
from ..workers.page import ControlPage
from ..workers.sources import Source

__all__ = ["Holder", "WorkerLink"]


class Holder(Protocol):
    """Who holds a worker: a session."""

    def notice(self) -> None:
        """Called from any thread when a worker of the holder has ended."""

    def abandon(self) -> None:
        """Called in a forked child, where the holder's workers are another process' workers."""


class WorkerLink:
    """One worker as its parent sees it. Rules:

    * `holder` is the session it belongs to. Whoever is set there may use the connection, nobody else.
    * ``ending``: END was sent and ENDED did not come yet; then only the pool reads the connection.
    * ``ended``: the template reported its end. Set once; the connection may still hold its last answers.
    * ``birth``: variables that it had when it imported its first library, and has for life.
    * ``preparation``: of the last session that had one, if it has reported a result; else empty.
    * ``tasks``: how many it has answered, in all its sessions.
    """

    def __init__(self, number: int, *, birth: Mapping[str, str]) -> None:
        self.number = number
        self.birth = birth
        self.preparation = b""
        self.tasks = 0
        self.holder: Holder | None = None
        self.ending = False
        self.ended: Message | None = None
        self.environment: Environment | None = None
        self.sources: list[Source] = []
        self.idle_since = 0.0
        self.patience: float | None = None
        self.socket, self._theirs = socket.socketpair()
        self.socket.setblocking(False)
        self.outbox = Outbox(self.socket)
        self.inbox = Inbox(self.socket, takes_descriptors=False)
        self._page_descriptor = create_segment("lightwork-page")
        self.page = ControlPage(self._page_descriptor)
        self.page.clear()
        self._tokens = os.eventfd(0, os.EFD_SEMAPHORE | os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def hand_over(self) -> list[int]:
        """The descriptors that the worker gets: its end of the socket, its page, its tokens."""
        return [self._theirs.fileno(), self._page_descriptor, self._tokens]

    def handed_over(self) -> None:
        """Close what is the worker's alone now."""
        self._theirs.close()
        os.close(self._page_descriptor)
        self._page_descriptor = -1

    def add_tokens(self, count: int) -> None:
        """Allow the worker `count` more tasks of batches that may be taken back."""
        os.eventfd_write(self._tokens, count)

    def take_tokens(self, count: int) -> int:
        """Take back up to `count` tokens; how many the worker had not taken itself."""
        for taken in range(count):
            try:
                os.eventfd_read(self._tokens)
            except BlockingIOError:
                return taken
        return count

    def clear_tokens(self) -> None:
        """Take all tokens: no task of a batch that may be taken back will start any more."""
        with contextlib.suppress(BlockingIOError):
            while True:
                os.eventfd_read(self._tokens)

    def receive(self) -> list[Frame] | None:
        """What has arrived, without waiting; ``None`` at the end of the stream."""
        try:
            return self.inbox.receive()
        except BlockingIOError:
            return []
        except ConnectionResetError:
            return None

    def last_frames(self) -> Iterator[Frame]:
        """What a worker that has ended still said. Each frame is valid until the next one is asked for."""
        poller = select.poll()
        poller.register(self.socket, select.POLLIN)
        while any(flags & select.POLLIN for _, flags in poller.poll(0)):
            frames = self.receive()
            if frames is None:
                return
            yield from frames

    def has_hung_up(self) -> bool:
        """Whether the worker's end is closed, by the kernel if it died. The report of that may still come."""
        poller = select.poll()
        poller.register(self.socket, 0)
        return bool(poller.poll(0))

    def is_overdue(self) -> bool:
        """Whether the worker may have left because it was idle for so long."""
        return self.patience is not None and time.monotonic() - self.idle_since >= self.patience

    def close(self) -> None:
        """Close everything; the worker leaves when it next looks at its socket."""
        self.socket.close()
        self._theirs.close()
        self.page.close()
        for descriptor in (self._tokens, self._page_descriptor):
            if descriptor >= 0:
                os.close(descriptor)
        self._tokens = self._page_descriptor = -1

    def abandon(self) -> None:
        """Close our end in a forked copy of the process that the worker belongs to."""
        # `detach` first: the objects must not close the numbers again when they belong to something else.
        descriptors = [self.socket.detach(), self._theirs.detach(), self._tokens, self._page_descriptor]
        self._tokens = self._page_descriptor = -1
        for descriptor in descriptors:
            if descriptor >= 0:
                os.close(descriptor)
