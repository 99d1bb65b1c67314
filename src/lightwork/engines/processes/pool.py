"""The workers of one process: started on demand, kept between sessions, replaced when they die.

::

    session ── acquire ──► pool ── FORK ──► template ──► worker
            ── release ──►   keeps it
                           pool ◄── ENDED ── template ◄── (reaped)
            ◄── notice ──

Several sessions, each in a thread of its own, share one pool. The lock is held for bookkeeping and for the
few microseconds of a message to the template, and up to `_ACKNOWLEDGE` for a worker that is about to
be free. It may be taken again by the same thread: a generator that is collected closes its session.
"""

import itertools
import os
import select
import signal
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Final

from ...system.forks import after_fork_in_child
from ...system.oom import oom_kills
from ..workers.control import ENDED, REFUSED, Message
from ..workers.sources import Source, changed
from ..workers.wire import ENDED as SESSION_ENDED
from ..workers.wire import load_scalars
from .launcher import Template
from .link import Holder, WorkerLink

__all__ = ["Pool"]

_ACKNOWLEDGE: Final = 0.02
"""Seconds to wait for a worker that was told to end a session and had nothing left to do."""

_BURIAL: Final = 2.0
"""Seconds to wait for the end of workers that were killed."""


class Pool:
    """Workers by number. Rule: a worker leaves the table when its end was reported, or the template's was."""

    def __init__(self, template: Template | None = None) -> None:
        """With a template that was started before, the pool begins with that one."""
        self._lock = threading.RLock()
        self._template = template
        self._links: dict[int, WorkerLink] = {}
        self._holders: weakref.WeakSet[Holder] = weakref.WeakSet()
        self._oom_kills = None if template is None else oom_kills()
        self.generation = 0 if template is None else 1
        """Counts the templates that came and went."""

        self._is_over = False
        self._numbers = itertools.count(1)
        self._sessions = itertools.count(1)
        after_fork_in_child(self._forget)

    def new_session(self) -> int:
        """A number for a session, ``1 .. 2^32 - 1``, not used by any of late."""
        return next(self._sessions) & 0xFFFFFFFF or 1

    def enter(self, holder: Holder) -> None:
        """Remember a session as long as somebody holds it, to tell it of a fork."""
        with self._lock:
            self._holders.add(holder)

    def leave(self, holder: Holder) -> None:
        """Forget a session, which has let go of its workers."""
        with self._lock:
            self._holders.discard(holder)
            if self._is_over and not self._holders:
                self.end()

    def watch(self) -> tuple[int, int]:
        """The generation of the template, and what to wait for besides the workers' connections.

        The second is a descriptor that the caller closes, -1 if there is no template now. When it is
        readable, `pump`. When `generation` has changed, ask again.
        """
        with self._lock:
            template = self._template
            return self.generation, -1 if template is None else os.dup(template.fileno())

    def acquire(
        self,
        holder: Holder,
        *,
        birth: Mapping[str, str],
        is_unfit: Callable[[WorkerLink], bool] | None = None,
    ) -> WorkerLink:
        """A worker for a session, idle or new.

        Parameters
        ----------
        birth
            Variables that it must have had from the beginning: libraries read them when they are imported.
            A worker with others does not do.
        is_unfit
            Whether an idle worker has served for long enough, and shall leave.

        Raises
        ------
        EngineError
            No worker can be started.
        """
        with self._lock:
            self.pump()
            misfit: WorkerLink | None = None
            for link in list(self._links.values()):
                if link.holder is not None or link.ended is not None or link.has_hung_up():
                    continue
                if not self._is_free(link):
                    continue
                if is_unfit is not None and is_unfit(link):
                    self._dismiss(link)
                    continue
                if link.birth == birth:
                    link.holder = holder
                    return link
                misfit = link
            if misfit is not None:
                self._dismiss(misfit)
            return self._start(holder, birth)

    def held_by(self, holder: Holder) -> list[WorkerLink]:
        """The workers of a session, those that have ended too until `bury`."""
        with self._lock:
            return [link for link in self._links.values() if link.holder is holder]

    def release(self, link: WorkerLink) -> None:
        """Take back a worker to which END was sent."""
        with self._lock:
            link.idle_since = time.monotonic()
            link.ending = True
            link.holder = None

    def retire(self, link: WorkerLink) -> None:
        """Let a worker leave that has answered all and was told END."""
        with self._lock:
            self._dismiss(link)

    def bury(self, link: WorkerLink) -> None:
        """Close and forget a worker that has ended."""
        with self._lock:
            self._links.pop(link.number, None)
            link.holder = None
            link.close()

    def kill(self, links: list[WorkerLink]) -> None:
        """End workers with all that they started in their process groups, and wait until they are gone."""
        with self._lock:
            for link in links:
                if link.ended is None and self._template is not None:
                    self._template.kill(link.number)
            self._wait_until(lambda: all(link.ended is not None for link in links), _BURIAL)
            for link in links:
                self.bury(link)

    def end_worker(self, link: WorkerLink) -> None:
        """Have a worker ended, with all that it started in its process group. Its holder will be told."""
        with self._lock:
            if link.ended is None and self._template is not None:
                self._template.kill(link.number)

    def look_at(self, link: WorkerLink) -> None:
        """Have a worker write its stack into its control page, if it can."""
        with self._lock:
            if link.ended is None and self._template is not None:
                self._template.look_at(link.number)

    def memory_ran_out(self) -> bool | None:
        """Whether the kernel ended processes for want of memory since workers were first started or this was
        last asked; ``None`` if it does not tell.
        """
        with self._lock:
            before, self._oom_kills = self._oom_kills, oom_kills()
            return None if before is None or self._oom_kills is None else self._oom_kills > before

    def pump(self) -> None:
        """Read what the template has to say, without waiting."""
        with self._lock:
            template = self._template
            if template is None:
                return
            for message in template.messages():
                if message is None:
                    self._lose_template(template)
                elif message.kind in (ENDED, REFUSED):
                    self._note_end(message)

    def shutdown(self) -> None:
        """End idle workers; the template too, if no session holds a worker."""
        with self._lock:
            self.pump()
            for link in list(self._links.values()):
                if link.holder is None and link.ended is None:
                    self._dismiss(link)
            if not any(link.holder for link in self._links.values()):
                self.end()

    def end(self) -> None:
        """End all workers, those of open sessions too, and the template."""
        with self._lock:
            template, self._template = self._template, None
            if template is not None:
                self.generation += 1
                template.close()
            for link in list(self._links.values()):
                self.bury(link)

    def finish(self) -> None:
        """End all, and keep nothing for later from now on: the interpreter ends.

        Handlers of its end and daemon threads may make calls even now, and nobody comes after them.
        """
        with self._lock:
            self._is_over = True
            self.end()

    # -- inside the lock --------------------------------------------------------------------------------

    def _start(self, holder: Holder, birth: Mapping[str, str]) -> WorkerLink:
        if self._template is None:
            self._template = Template()
            self._oom_kills = oom_kills()
            self.generation += 1
        link = WorkerLink(next(self._numbers), birth=birth)
        link.holder = holder
        self._links[link.number] = link
        try:
            self._template.fork(link.number, link.hand_over())
        except (BrokenPipeError, ConnectionResetError):
            # It was killed from outside a moment ago: its idle workers are gone, a new one takes over.
            self._lose_template(self._template)
            self.bury(link)
            return self._start(holder, birth)
        link.handed_over()
        return link

    def _is_free(self, link: WorkerLink) -> bool:
        """Whether an idle worker can be used; one that cannot is let go."""
        if link.ending and not self._acknowledged(link):
            return False
        if link.is_overdue() or changed(link.sources):
            self._dismiss(link)
            return False
        return True

    def _acknowledged(self, link: WorkerLink) -> bool:
        """Whether the worker has ended its session, after waiting a moment if it must be about to."""
        deadline = time.monotonic() + _ACKNOWLEDGE
        poller = select.poll()
        poller.register(link.socket, select.POLLIN)
        while link.ending:
            frames = link.receive()
            if frames is None:
                return False  # it has ended; the template's report follows
            for frame in frames:
                if frame.kind == SESSION_ENDED:
                    link.ending = False
                    link.sources += [Source(*fields) for fields in load_scalars(frame.body)]
            busy = link.page.task() is not None
            if link.ending and not frames:
                patience = 0 if busy else max(0.0, deadline - time.monotonic())
                if not poller.poll(patience * 1000):
                    return False
        return True

    def _dismiss(self, link: WorkerLink) -> None:
        """Let an idle worker leave; its end will be reported and needs no answer."""
        self._links.pop(link.number, None)
        link.close()

    def _note_end(self, message: Message) -> None:
        link = self._links.get(message.number)
        if link is None:
            return
        link.ended = message
        if link.holder is None:
            self.bury(link)
        else:
            link.holder.notice()

    def _lose_template(self, template: Template) -> None:
        """The template is gone, and the kernel has killed its workers."""
        self._template = None
        self.generation += 1
        template.close()
        for link in list(self._links.values()):
            if link.ended is None:
                self._note_end(Message(ENDED, link.number, link.page.pid(), int(signal.SIGKILL)))

    def _wait_until(self, is_done: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not is_done():
            template, left = self._template, deadline - time.monotonic()
            if template is None or left <= 0:
                return
            poller = select.poll()
            poller.register(template, select.POLLIN)
            poller.poll(left * 1000)
            self.pump()

    # -- in a forked child ------------------------------------------------------------------------------

    def _forget(self) -> None:
        """Begin afresh: workers and template belong to the process that this one was forked from."""
        self._lock = threading.RLock()
        links, self._links = self._links, {}
        for link in links.values():
            link.abandon()
        template, self._template = self._template, None
        if template is not None:
            template.abandon()
        holders, self._holders = self._holders, weakref.WeakSet()
        for holder in list(holders):
            holder.abandon()
