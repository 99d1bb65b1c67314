"""What goes into the outbox of a worker: tasks, and before them the functions and segments that they need."""

import time
from collections.abc import Iterable, Sequence
from typing import Final

from ..workers.channel import make_frame
from ..workers.wire import DROP, FUNCTION, SEGMENT, Placed
from .encoding import EncodedTasks
from .functions import Shipyard
from .link import WorkerLink
from .publishing import Publisher
from .slots import Sent, Slot

__all__ = ["Post"]

_SECOND_SIGHT: Final = 2e-3
"""Seconds that tasks with large arguments wait for others with the same while the input is read."""


class Post:
    """The frames of one session. Nothing here sends: that is for who flushes the outboxes."""

    def __init__(self, session: int, publisher: Publisher, shipyard: Shipyard) -> None:
        self._session = session
        self._publisher = publisher
        self._shipyard = shipyard

    def put(self, place: Slot, link: WorkerLink, tasks: EncodedTasks, sent: Sent) -> None:
        """Queue tasks that were noted as `sent`, and what the worker must have first."""
        for number in tasks.functions:
            if number not in place.functions:
                place.functions.add(number)
                skeleton, buffers = self._shipyard.parcel(number)
                link.outbox.put(make_frame(FUNCTION, self._session, skeleton, start=number, buffers=buffers))
        sent.segments = frozenset(item for item in tasks.buffers if isinstance(item, int))
        self.put_segments(place, link, tasks.buffers)
        if sent.tokens:
            link.add_tokens(tasks.length)
        link.outbox.put(
            make_frame(
                tasks.kind,
                self._session,
                tasks.body,
                flag=int(sent.tokens),
                start=tasks.start,
                length=tasks.length,
                buffers=tasks.buffers,
            )
        )

    def put_segments(self, place: Slot, link: WorkerLink, buffers: Sequence[Placed]) -> None:
        """Let the worker have what was published and it has not yet."""
        for segment, descriptor in self._publisher.unknown(buffers, place.known):
            flag = int(descriptor is not None)
            frame = make_frame(SEGMENT, self._session, segment.body(), flag=flag, start=segment.number)
            link.outbox.put(frame, descriptor=descriptor)

    def put_late(self, place: Slot, *, ripe_only: bool = False) -> None:
        """Queue tasks with large arguments that were put off: their arrays may have been published meanwhile.

        With `ripe_only` not before they have waited for long enough.
        """
        if not place.late or place.link is None:
            return
        if ripe_only and time.monotonic() - place.late_since <= _SECOND_SIGHT:
            return
        late, place.late = place.late, []
        for tasks, sent in late:
            buffers = [self._publisher.place_again(item) for item in tasks.buffers]
            self.put(place, place.link, tasks._replace(buffers=buffers), sent)

    def drop_orphans(self, slots: Iterable[Slot]) -> None:
        """Give back the segments whose buffers are gone and whose tasks have all been answered."""
        orphans = self._publisher.orphans()
        if not orphans:
            return
        places = list(slots)
        needed = set[int]().union(*(sent.segments for place in places for sent in place.sent))
        for number in orphans - needed:
            segment = self._publisher.segments[number]
            for place in places:
                if number in place.known and place.link is not None:
                    place.known.drop(segment)
                    place.link.outbox.put(make_frame(DROP, self._session, b"", start=number))
            self._publisher.drop(number)
