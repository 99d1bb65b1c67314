"""Who computes a key, among hosts that have nothing in common but an object store.

::

    leader   its pulse beats (`holdings`)
             create leases/<key>           fails if it is there: then somebody leads
             compute, put the record, delete leases/<key>
    waiter   get leases/<key>        ──►   gone: create it; else it names the process that leads
             get pulses/<process>    ──►   the same for five beats, by the waiter's own clock: it is dead
             create leases/<key>-<nonce of the dead leader's lease>        one of the waiters takes over

No clock is ever compared with another host's. All that is asked of the store is that of several who create
one name at once one succeeds. A process that was held up for long, and taken for dead, may go on: then two
compute one key, which costs time and no more, since either result is right.

Bounds: a killed leader is replaced within seven beats (five, one that the waiter did not see, and its pause
of half a beat at most, all with the time of a request). A process whose every thread is held up for five
beats, by C code that never lets the interpreter go, is taken for dead.
"""

import random
import time
from typing import NamedTuple

from ...errors import StoreUnavailable
from ...hashing.digests import BLAKE3
from ...system.clock import Clock
from ...system.forks import after_fork_in_child
from .holdings import Held, Holdings, has_failed, pulse_name
from .layout import LEASES, name
from .link import Link

__all__ = ["BEAT", "Leases"]

BEAT = 2.0
"""Seconds between two signs of life. Each is a request, while anything is computed; five that are missing
make a process dead: so a killed leader is replaced within 14 seconds."""

_SILENT = 5.0  # beats
_FIRST_PAUSE = 0.05  # seconds
_MOST = 1000  # keys whose waiters and failures are remembered


class _Lease(NamedTuple):
    """What the object of a lease says."""

    process: str
    nonce: str
    beat: float

    def encode(self) -> bytes:
        return f"{self.process} {self.nonce} {self.beat:g}".encode()

    @classmethod
    def decode(cls, data: bytes | None) -> "_Lease | None":
        if data is None:
            return None
        try:
            process, nonce, beat = data.decode().split()
            return cls(process, nonce, float(beat))
        except ValueError:  # not ours, or damaged: held by nobody who lives
            return cls("unknown", BLAKE3.of(data)[:8].hex(), BEAT)


class _Watch:
    """What a waiter has seen of those who lead a key. Used by one thread: `Flights` lets no more ask."""

    def __init__(self) -> None:
        self.lease: _Lease | None = None
        self.pulse: bytes | None = None
        self.since = 0.0
        self.dead: set[str] = set()
        self.next_look = 0.0
        self.pause = _FIRST_PAUSE


class Leases:
    """What `SupportsLease` asks for, over one object store. Safe to use from several threads.

    Parameters
    ----------
    link
        The object store.
    holdings
        What this process holds there.
    clock
        Seconds; never set back.
    """

    def __init__(self, link: Link, holdings: Holdings, *, clock: Clock = time.monotonic) -> None:
        self._link = link
        self._holdings = holdings
        self._clock = clock
        self._renew()
        after_fork_in_child(self._renew)

    def take(self, key: bytes) -> bool:
        """As `SupportsLease.lease`. One who is refused and asks again soon is refused without a request.

        Where the store cannot be asked everybody gets it.
        """
        if self._holdings.has(key):
            return True
        watch = self._watches.get(key)
        if watch is not None and self._clock() < watch.next_look:
            return False
        try:
            self._holdings.begin()
            held = self._acquire(key, watch)
        except StoreUnavailable:
            self._watches.pop(key, None)
            return True
        if held:
            self._watches.pop(key, None)
        return held

    def give_back(self, key: bytes, *, failed: bool) -> None:
        """As `SupportsLease.release`; the store hears of it soon."""
        if self._holdings.give_back(key, failed=failed) and failed:
            self._note_failure(key)

    def failures(self, key: bytes) -> bytes:
        """As `SupportsLease.failures`, of what this process has seen or done. Asks nobody."""
        return self._marks.get(key, b"")

    def _acquire(self, key: bytes, watch: _Watch | None) -> bool:
        """Get the lease of a key, or watch who has it."""
        root = name(LEASES, key)
        own = _Lease(self._holdings.process, _nonce(), self._holdings.beat)
        if watch is None:
            if self._create(key, Held(((root, own.nonce),)), own):
                return True
            watch = self._watches[key] = _Watch()
            _limit(self._watches)
        dead: list[tuple[str, str]] = []
        while True:
            place = f"{root}-{dead[-1][1]}" if dead else root
            found = _Lease.decode(self._link.get(place))
            if found is not None and found.nonce in watch.dead:
                dead.append((place, found.nonce))
                continue
            held = Held((*dead, (place, own.nonce)))
            if found is not None and found.nonce == own.nonce:  # the answer to our request got lost
                self._holdings.add(key, held)
                return True
            if self._has_ended_badly(watch, found):
                self._note_failure(key)
                self._watches.pop(key, None)
                return False
            if found is None and self._create(key, held, own):
                return True
            if found is None or self._is_alive(watch, found):
                watch.pause = min(1.6 * watch.pause, 0.5 * self._holdings.beat)
                watch.next_look = self._clock() + watch.pause * random.uniform(0.7, 1.0)
                return False

    def _create(self, key: bytes, held: Held, own: _Lease) -> bool:
        place = held.objects[-1][0]
        try:
            created = self._link.create(place, own.encode())
            if created:
                self._holdings.add(key, held)
        except BaseException:  # an interrupt, or no answer: it may be there all the same
            self._holdings.abandon(key, place, own.nonce)
            raise
        return created

    def _is_alive(self, watch: _Watch, lease: _Lease) -> bool:
        """Whether the process that holds a lease gave a sign of life, by what this one has seen."""
        if lease.nonce in watch.dead:
            return False
        pulse = self._link.get(pulse_name(lease.process))
        now = self._clock()
        if watch.lease != lease or watch.pulse != pulse:
            watch.lease, watch.pulse, watch.since = lease, pulse, now
        if pulse is None or now - watch.since > _SILENT * lease.beat:
            watch.dead.add(lease.nonce)
            return False
        return True

    def _has_ended_badly(self, watch: _Watch, found: _Lease | None) -> bool:
        """Whether the lease that was watched has gone, and its holder says that it failed."""
        watched = watch.lease
        if watched is None or watched.nonce in watch.dead or watched == found:
            return False
        pulse = self._link.get(pulse_name(watched.process))
        return pulse is not None and has_failed(pulse, watched.nonce)

    def _note_failure(self, key: bytes) -> None:
        self._marks[key] = _nonce().encode()
        _limit(self._marks)

    def _renew(self) -> None:
        """At first, and in a forked child, which waits for nobody."""
        self._watches: dict[bytes, _Watch] = {}
        self._marks: dict[bytes, bytes] = {}


def _nonce() -> str:
    return f"{random.SystemRandom().getrandbits(64):016x}"


def _limit(table: "dict[bytes, _Watch] | dict[bytes, bytes]") -> None:
    if len(table) > _MOST:
        table.pop(next(iter(table)), None)
