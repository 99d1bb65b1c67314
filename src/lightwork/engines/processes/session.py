"""One parallel call's hold on its workers.

::

    driver ── send ──► encode ──► outbox ──► worker
           ◄─ wait ──  poll: workers' answers · the template's reports of deaths · wake

Nothing here blocks but `wait`. Sockets do not block, so parent and worker can both send large messages at
once. A worker is in doubt when it has tasks, or half a frame; closing with ``abort`` kills those, so an
interrupt (Ctrl-C between any two steps) never leaves a worker in the pool that is out of step.
"""

import contextlib
import os
import pickle
import select
import time
from collections.abc import Sequence
from typing import Final

from ...errors import EngineError
from ...protocols import Batch, Done, Event, Failed, Lost, SessionRequest, Told
from ...system.processes import own_bytes
from ..workers.answers import Outcome, outcomes, scalars
from ..workers.channel import Frame, make_frame
from ..workers.control import REFUSED
from ..workers.environment import difference, look
from ..workers.page import PREPARING
from ..workers.wire import BEGIN, END, TOLD, VALUES, StreamWriter, pickle_scalars
from .bell import Bell
from .deaths import describe_death, describe_late
from .encoding import EncodedTasks, TaskEncoder
from .functions import Shipyard
from .lateness import Lateness
from .link import WorkerLink
from .options import ProcessOptions, births
from .pool import Pool
from .posting import Post
from .preparing import Preparing
from .publishing import Publisher
from .slots import Sent, Slot
from .wear import Wear

__all__ = ["ProcessSession"]

_SHORT: Final = 50e-6
"""Seconds. Tasks known to be shorter are not worth a token each (0.4 µs), and not worth taking back."""

_NO_REPORT: Final = 2.0
"""Seconds without a report of the template after which a worker that hung up counts as dead all the same."""

_LEEWAY: Final = 5.0
"""Seconds that a worker waits longer than the pool thinks, so that none leaves while a task is on its way."""

_GULP: Final = 64
"""Receives in a row from one worker, so that large results do not pay for a poll every 200 KB."""


class ProcessSession:
    """A session of the process engine, as `lightwork.protocols.Session` describes it."""

    def __init__(
        self, pool: Pool, request: SessionRequest, options: ProcessOptions, *, engine: object = None
    ) -> None:
        """`engine` is kept as long as the session."""
        self._pool = pool
        self._engine = engine  # whose end is the pool's
        self._number = pool.new_session()
        self._timed = request.timed
        self._patience = options.idle_worker_timeout
        limit = options.task_timeout
        self._lateness = None if limit is None else Lateness(limit, pool)
        self._births = births(request, options)
        bounds = (options.max_tasks_per_worker, options.max_worker_memory)
        self._wear = Wear(*bounds) if any(bounds) else None
        self._most_kept = options.max_kept_memory
        self._most_bytes = options.max_worker_memory
        self._read_only = options.read_only
        self._preparing = Preparing(request.runner)
        self._environment = look()
        self._publisher = Publisher()
        shipyard = Shipyard()
        self._encoder = TaskEncoder(shipyard, StreamWriter(self._publisher.place))
        self._post = Post(self._number, self._publisher, shipyard)
        self._slots = [Slot(number) for number in range(request.n_jobs)]
        self._by_fileno: dict[int, Slot] = {}
        self._events: list[Event] = []
        self._mean: float | None = None
        self._closed = False
        self._is_foreign = False
        self._poller = select.poll()
        self._generation = 0
        self._control = -1  # our own duplicate of the pool's: another thread may replace that at any moment
        self._bell = Bell()
        self._poller.register(self._bell, select.POLLIN)
        self._noticed = False
        self._woken = False
        pool.enter(self)

    # -- the protocol -----------------------------------------------------------------------------------

    def send(self, slot: int, batch: Batch) -> None:
        """Queue a batch for a slot, which leaves at once if the slot has no other tasks. Does not block.

        Raises
        ------
        EngineError
            No worker can be started, or the session is closed.
        """
        self._check_open()
        if not batch.calls:
            return
        place = self._slots[slot]
        if self._wear is None:
            self._send(place, batch)
            return
        batch = self._cut(place, batch, self._wear)
        while batch.calls:
            self._send(place, batch)
            if place.sent or not place.kept:
                return
            batch = self._cut(place, place.kept.pop(), self._wear)  # none of those could travel

    def _cut(self, place: Slot, batch: Batch, wear: Wear) -> Batch:
        """What the slot's present worker may have of a batch. The rest is kept for the next one."""
        if place.link is None:
            self._engage(place)
        room = wear.room(place)
        start, calls = batch
        if len(calls) > room:
            place.kept.append(Batch(start + room, calls[room:]))
        return Batch(start, calls[:room])

    def _send(self, place: Slot, batch: Batch) -> None:
        is_idle = not place.sent
        encoded = self._encoder.encode(batch)
        self._events += [Failed(place.number, index, error, 0.0) for index, error in encoded.failures]
        for tasks in encoded.frames:
            link = place.link or self._engage(place)
            # First the note, then the deed: an interrupt in between leaves a worker with tasks; it is killed.
            sent = self._note_sent(place, tasks)
            if place.late or tasks.is_weighty():
                place.put_off(tasks, sent)
            else:
                self._post.put(place, link, tasks, sent)
        if is_idle:
            self._flush(place)

    def flush(self) -> None:
        """Let what was queued go, together: each message wakes a worker, which costs more than its task may.

        Tasks with large arguments stay for a moment, see `EncodedTasks.is_weighty`. `wait` lets all go.
        """
        for place in self._slots:
            self._post.put_late(place, ripe_only=True)
            self._flush(place)

    def memory(self) -> list[int]:
        """The bytes that the worker of each slot shares with nobody, 0 where there is none."""
        pids = [0 if place.link is None else place.link.page.pid() for place in self._slots]
        return [own_bytes(pid) if pid else 0 for pid in pids]

    def take_back(self, slot: int) -> None:
        """Ask for tasks of the slot that have not started; the next `wait` brings one `Returned`."""
        place = self._slots[slot]
        self._post.put_late(place)
        self._events.append(place.take_back())

    def wait(self, timeout: float | None) -> Sequence[Event]:
        """Block until something happened, `wake` was called or `timeout` seconds went by; may be empty.

        Raises
        ------
        EngineError
            The system refuses to start a worker, or the session is closed.
        """
        self._check_open()
        for place in self._slots:
            self._post.put_late(place)
        self._post.drop_orphans(self._slots)
        for place in self._slots:
            self._flush(place)
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._events:
            self._watch_template()
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if self._lateness is not None:
                left = self._lateness.look(self._slots, left)
            ready = self._poller.poll(self._patience_ms(left))
            self._check_open()
            woken = self._handle(ready)
            if woken or (deadline is not None and time.monotonic() >= deadline):
                break
        events, self._events = self._events, []
        return events

    def wake(self) -> None:
        """Let a `wait` in another thread, or the next one, return at once."""
        self._woken = True
        self._bell.ring()

    def close(self, *, abort: bool) -> None:
        """End the session. Safe to call twice, and after an interrupt at any point."""
        self._closed = True
        self._bell.ring()  # a `wait` in another thread is a mistake; it gets an error, not silence
        if not self._is_foreign:
            self._settle(abort)
        self._publisher.close()
        self._close_control()
        self._bell.close()
        self._pool.leave(self)
        self._by_fileno.clear()
        for place in self._slots:
            place.leave()

    def notice(self) -> None:
        """A worker of this session has ended. From any thread."""
        self._noticed = True
        self._bell.ring()

    def abandon(self) -> None:
        """This process was forked from the one that the session belongs to."""
        self._is_foreign = True
        self._close_control()
        self._bell.abandon()

    def _check_open(self) -> None:
        if self._closed or self._is_foreign:
            raise EngineError(
                "this session is closed, or belongs to the process that this one is forked from"
            )

    # -- sending ----------------------------------------------------------------------------------------

    def _engage(self, place: Slot) -> WorkerLink:
        birth = self._births[place.number]
        link = place.link = self._pool.acquire(self, birth=birth, is_unfit=self._is_unfit)
        self._by_fileno[link.socket.fileno()] = place
        self._poller.register(link.socket, select.POLLIN)
        environment = self._environment._replace(variables={**self._environment.variables, **birth})
        change = difference(link.environment, environment)
        link.environment = environment
        link.patience = self._patience
        patience = self._patience + _LEEWAY
        runner = self._preparing.runner_for(link)
        fields = (change, place.number, self._most_bytes, patience, self._timed, self._read_only)
        body = pickle_scalars((*fields, runner.skeleton))
        buffers = [self._publisher.place(pickle.PickleBuffer(buffer)) for buffer in runner.buffers]
        self._post.put_segments(place, link, buffers)
        link.outbox.put(make_frame(BEGIN, self._number, body, buffers=buffers))
        return link

    def _is_unfit(self, link: WorkerLink) -> bool:
        """Whether an idle worker is not to be used any more."""
        if self._most_kept is not None and own_bytes(link.page.pid()) > self._most_kept:
            return True
        return self._wear is not None and self._wear.is_unfit(link)

    def _note_sent(self, place: Slot, tasks: EncodedTasks) -> Sent:
        long = self._mean is None or self._mean >= _SHORT or (self._wear is not None and self._wear.recalls)
        with_tokens = not place.rationed and long
        sent = Sent(tasks.start, tasks.start + tasks.length, tokens=with_tokens, probe=place.rationed)
        place.sent.append(sent)
        return sent

    def _flush(self, place: Slot) -> None:
        link = place.link
        if link is None or place.silent_since is not None or not (link.outbox or place.waits):
            return
        try:
            link.outbox.flush()
        except (BrokenPipeError, ConnectionResetError):
            self._hung_up(place, link)
            return
        waits = bool(link.outbox)
        if waits != place.waits:
            place.waits = waits
            self._poller.modify(link.socket, select.POLLIN | (select.POLLOUT if waits else 0))

    # -- receiving --------------------------------------------------------------------------------------

    def _handle(self, ready: list[tuple[int, int]]) -> bool:
        """Act on what `poll` found; whether somebody called `wake`."""
        for fileno, flags in ready:
            place = self._by_fileno.get(fileno)
            if place is not None and (link := place.link) is not None:
                if flags & ~select.POLLOUT:
                    self._receive(place, link)
                if flags & select.POLLOUT:
                    self._flush(place)
            elif fileno == self._bell.fileno():
                self._bell.silence()
            elif fileno == self._control:
                self._pool.pump()
        if self._noticed or self._silent():
            self._noticed = False
            for place in self._slots:
                self._look_for_death(place)
        woken, self._woken = self._woken, False
        return woken

    def _receive(self, place: Slot, link: WorkerLink) -> None:
        for _ in range(_GULP):
            frames = link.receive()
            if frames is None:
                self._hung_up(place, link)
                return
            for frame in frames:
                self._accept(place, frame)
            if not link.inbox.is_midway():
                break
        if self._wear is not None:
            self._renew(place, link, self._wear)

    def _renew(self, place: Slot, link: WorkerLink, wear: Wear) -> None:
        """Replace a worker that has served for long enough, once it has answered all that it has begun."""
        if not place.worn and wear.is_worn(link):
            place.worn = True
            self._post.put_late(place)
            # Unasked; the flow sends it again. One range at a time: batches of a slot may lie far apart.
            while (returned := place.take_from_worker()).start < returned.stop:
                self._events.append(returned)
        if place.sent or not (place.worn or place.kept):
            return
        if place.worn:
            wear.report(link)
            self._part(place, link)
        kept, place.kept = place.kept, []
        for batch in kept:
            self.send(place.number, batch)

    def _part(self, place: Slot, link: WorkerLink) -> None:
        """Take leave of a worker that has answered all, whatever it makes of it."""
        kept = place.kept
        self._forget_socket(link)
        place.leave()
        place.kept = kept
        link.outbox.put(make_frame(END, self._number, b""))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            link.outbox.flush()
        self._pool.retire(link)

    def _accept(self, place: Slot, frame: Frame) -> None:
        if frame.session != self._number:
            return  # an answer of an earlier session, which nobody waits for
        if frame.kind == VALUES:
            self._note(place, scalars(frame))
        elif frame.kind == TOLD:
            self._events.append(Told(place.number, frame.start, pickle.loads(frame.body)))
        else:
            for outcome in outcomes(frame):
                self._note(place, outcome)

    def _note(self, place: Slot, outcome: Outcome) -> None:
        start, values, error, times = outcome
        seconds, began, _, _ = times
        if place.overdue is not None and place.overdue.is_doomed:
            values = values[: max(0, place.overdue.task[0] - start)]
            if not values:
                return
        count = len(values) if error is None else 1
        place.report(start, count)
        self._mean = seconds / count if self._mean is None else 0.5 * (self._mean + seconds / count)
        if error is None:
            if place.link is not None:
                self._preparing.note_result(place.link)
            self._events.append(Done(place.number, start, values, *times))
        else:
            self._events.append(Failed(place.number, start, error, seconds, began))

    # -- deaths -----------------------------------------------------------------------------------------

    def _hung_up(self, place: Slot, link: WorkerLink) -> None:
        """The worker closed its end: it is dead, or dying. The template will say how."""
        if place.silent_since is None:
            place.silent_since = time.monotonic()
            self._forget_socket(link)
            self._noticed = True

    def _look_for_death(self, place: Slot) -> None:
        link = place.link
        if link is None:
            return
        if link.ended is None:
            self._pool.pump()
        overdue = place.silent_since is not None and time.monotonic() - place.silent_since > _NO_REPORT
        if link.ended is None and not overdue:
            return
        if place.silent_since is None:
            for frame in link.last_frames():
                self._accept(place, frame)
            self._forget_socket(link)
        self._mourn(place, link)

    def _mourn(self, place: Slot, link: WorkerLink) -> None:
        ended, pid, running = link.ended, link.page.pid(), link.page.running()
        preparing = self._preparing.title if link.page.is_preparing() else ""
        sent, overdue, kept = place.sent, place.overdue, place.kept
        if running is not None and not any(item.start <= running < item.stop for item in sent):
            running = None  # answered already, or taken back
        stack = link.page.stack() if overdue is not None else ""
        place.leave()
        self._pool.bury(link)
        if ended is not None and ended.kind == REFUSED:
            raise EngineError(f"a worker cannot be started: {os.strerror(ended.status)}")
        if self._lateness is not None and overdue is not None and overdue.is_doomed:
            index, limit = overdue.task[0], self._lateness.limit
            if index == PREPARING:  # no task can run as it should, so it is no matter of one task
                raise describe_late(self._preparing.title, limit, stack)
            late = describe_late(f"task {index}", limit, stack)
            self._events.append(Lost(place.number, index, late))
        elif sent or kept:
            ran_out = self._pool.memory_ran_out()
            death = describe_death(pid, ended, running, out_of_memory=ran_out, preparing=preparing)
            self._events.append(Lost(place.number, running, death))

    def _forget_socket(self, link: WorkerLink) -> None:
        if self._by_fileno.pop(link.socket.fileno(), None) is not None:
            self._poller.unregister(link.socket)

    def _silent(self) -> bool:
        return any(place.silent_since is not None for place in self._slots)

    def _patience_ms(self, left: float | None) -> float | None:
        if self._silent():
            left = _NO_REPORT / 4 if left is None else min(left, _NO_REPORT / 4)
        return None if left is None else left * 1000

    def _watch_template(self) -> None:
        """Wait for the template's reports too, and for those of its successor."""
        if self._generation == self._pool.generation:
            return
        self._close_control()
        self._generation, self._control = self._pool.watch()
        if self._control >= 0:
            self._poller.register(self._control, select.POLLIN)

    def _close_control(self) -> None:
        control, self._control = self._control, -1
        if control >= 0:
            self._poller.unregister(control)
            os.close(control)

    # -- closing ----------------------------------------------------------------------------------------

    def _settle(self, abort: bool) -> None:
        doubtful: list[WorkerLink] = []
        busy = {id(place.link) for place in self._slots if place.sent}
        for link in self._pool.held_by(self):
            if link.ended is not None:
                self._pool.bury(link)
            elif link.ending or link.outbox or (abort and id(link) in busy) or not self._dismiss(link):
                doubtful.append(link)
        if doubtful:
            self._pool.kill(doubtful)

    def _dismiss(self, link: WorkerLink) -> bool:
        """Tell a worker that the session is over; whether it heard. What it has not started is dropped."""
        link.ending = True
        link.clear_tokens()
        link.outbox.put(make_frame(END, self._number, b""))
        try:
            link.outbox.flush()
        except (BrokenPipeError, ConnectionResetError):
            return False
        if link.outbox:
            return False
        self._pool.release(link)
        return True
