"""The leases that this process holds in an object store, and the thread that keeps them alive.

::

    caller    begin ──► the pulse of this process, an object of its own, is there and beats
              add, give_back ──► tables ──► thread
    thread    every `beat` seconds: overwrite the pulse with the next number, while anything is held
              what was given back: tell failures with the pulse, then delete the lease
              nothing to do for a while: remove pulses that are older than a day, and end

One pulse stands for all leases of a process, however many. A process that is killed beats no more, and that
is all that others need to know. Nobody but this process writes its pulse, and leases are never overwritten.
"""

import contextlib
import os
import threading
import time
from typing import NamedTuple

from ...errors import StoreUnavailable
from ...system.clock import Clock
from ...system.forks import after_fork_in_child
from .layout import PULSES
from .link import Link

__all__ = ["Held", "Holdings", "has_failed", "pulse_name"]

_LINGER = 5  # beats without anything held, before the thread ends: the next miss may come soon
_MOST_FAILED = 64  # of the latest failures the pulse tells
_MOST_TRIES = 30  # to give a lease back; then it ends as that of a dead process does
_ABANDONED = 86400.0  # seconds, by the server's clock alone
_STOPPING = 5.0  # seconds that the end of the process waits for the last requests


class Held(NamedTuple):
    """A lease of this process: objects and the nonce that stands in each.

    Its own is the last; before it are those of dead leaders that it follows. All are removed with it.
    """

    objects: tuple[tuple[str, str], ...]


class _Returned(NamedTuple):
    held: Held
    failed: bool
    tries: int


class Holdings:
    """What this process holds. Safe to use from several threads.

    Parameters
    ----------
    link
        The object store.
    beat
        Seconds between two beats.
    clock
        Seconds; never set back.
    """

    def __init__(self, link: Link, *, beat: float, clock: Clock = time.monotonic) -> None:
        self.beat = beat
        self._link = link
        self._clock = clock
        self._count = 0
        self._is_swept = False
        self._thread: threading.Thread | None = None
        self._renew()
        after_fork_in_child(self._renew)

    def has(self, key: bytes) -> bool:
        """Whether this process holds the lease of a key; one that was just given back is taken again."""
        with self._state:
            while key in self._leaving and self._beats():  # until its request is answered
                self._state.wait(_STOPPING)
            back = self._returned.pop(key, None)
            if back is not None:
                self._held[key] = back.held
                if back.failed:
                    self._failed.append(back.held.objects[-1][1])
            return key in self._held

    def begin(self) -> None:
        """See to it that the pulse is there and beats. Raises `StoreUnavailable`."""
        with self._state:
            if self._beats():
                return
        self._write_pulse()
        with self._state:
            self._start()

    def add(self, key: bytes, held: Held) -> None:
        """This process holds a lease from now on."""
        with self._state:
            self._held[key] = held
            self._start()  # again, if it was closed meanwhile

    def give_back(self, key: bytes, *, failed: bool) -> bool:
        """The lease of a key ends soon; whether it was held. Does not wait for the store."""
        with self._state:
            held = self._held.pop(key, None)
            if held is not None:
                self._returned[key] = _Returned(held, failed, 0)
                self._state.notify_all()
            return held is not None

    def abandon(self, key: bytes, name: str, nonce: str) -> None:
        """A lease that may be there or not, since there was no answer, is to be removed."""
        with self._state:
            self._held.pop(key, None)
            self._returned[nonce.encode()] = _Returned(Held(((name, nonce),)), False, 0)
            self._start()
            self._state.notify_all()

    def close(self) -> None:
        """Send what waits and end the thread, within a few seconds; but not while a lease is held."""
        with self._state:
            if self._held:
                return
        self._stop()

    def end(self) -> None:
        """As `close`, after giving back all leases: nobody is left who could."""
        with self._state:
            for key in list(self._held):
                self.give_back(key, failed=False)
        self._stop()

    def _stop(self) -> None:
        with self._state:
            thread = self._thread
            self._ending = True
            self._state.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_STOPPING)

    def _renew(self) -> None:
        """At first, and in a forked child: another process, which holds nothing."""
        self.process = os.urandom(8).hex()
        self._state = threading.Condition()
        self._held: dict[bytes, Held] = {}
        self._returned: dict[bytes, _Returned] = {}
        self._leaving: dict[bytes, _Returned] = {}
        self._failed: list[str] = []
        self._thread = None
        self._ending = False
        self._not_before = 0.0

    def _beats(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _start(self) -> None:
        self._ending = False
        if not self._beats():
            # A daemon: whatever else keeps the interpreter from ending shall not be this.
            self._thread = threading.Thread(target=self._run, name="lightwork-leases", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        next_beat = last_used = self._clock()
        while True:
            with self._state:
                self._wait(next_beat)
                now = self._clock()
                self._leaving, self._returned = self._returned, {}
                if self._held or self._leaving:
                    last_used = now
                elif self._ending or now - last_used > _LINGER * self.beat:
                    self._thread = None
                    return
                beats = bool(self._held) and now >= next_beat
            self._end_all()
            if beats:
                with contextlib.suppress(StoreUnavailable):  # for others it is as if this process were slow
                    self._write_pulse()
            if now >= next_beat:
                next_beat = now + self.beat
            if not self._is_swept:
                self._is_swept = True
                self._sweep()

    def _wait(self, next_beat: float) -> None:
        """Wait until it is time for a beat, or something was given back; but not at the end."""
        while self._held or not self._ending:
            until = min(next_beat, self._not_before) if self._returned else next_beat
            left = until - self._clock()
            if left <= 0:
                return
            self._state.wait(left)

    def _end_all(self) -> None:
        """Tell of failures, and delete the leases that were given back."""
        leaving = self._leaving
        try:
            failed = [back.held.objects[-1][1] for back in leaving.values() if back.failed]
            if failed:
                self._failed = [*self._failed, *failed][-_MOST_FAILED:]
                self._write_pulse()
            for key, back in list(leaving.items()):
                self._remove(back.held)
                with self._state:
                    del leaving[key]
                    self._state.notify_all()
        except StoreUnavailable:
            with self._state:
                for key, back in leaving.items():
                    if back.tries < _MOST_TRIES and not self._ending:
                        self._returned[key] = back._replace(tries=back.tries + 1)
                leaving.clear()
                self._not_before = self._clock() + self.beat
                self._state.notify_all()

    def _remove(self, held: Held) -> None:
        """Delete the objects of a lease, but for those that belong to somebody else by now.

        The first is deleted first: it is the one that everybody looks at.
        """
        for name, nonce in held.objects:
            found = self._link.get(name)
            if found is not None and nonce.encode() in found.split():
                self._link.delete([name])

    def _write_pulse(self) -> None:
        self._count += 1
        self._link.put(pulse_name(self.process), " ".join((str(self._count), *self._failed)).encode())

    def _sweep(self) -> None:
        """Remove pulses of processes that were killed: those that are a day older than our own."""
        own = pulse_name(self.process)
        with contextlib.suppress(StoreUnavailable):
            found = [at for page in self._link.pages(PULSES) for at in page]
            now = max((at.modified for at in found if at.name == own), default=0.0)
            self._link.delete([at.name for at in found if at.modified < now - _ABANDONED])


def pulse_name(process: str) -> str:
    """The object that tells that a process lives."""
    return f"{PULSES}/{process}"


def has_failed(pulse: bytes, nonce: str) -> bool:
    """Whether a pulse tells that the computation under a lease failed."""
    return nonce.encode() in pulse.split()[1:]
