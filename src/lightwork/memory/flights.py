"""One computation for one key, however many ask for it at the same time.

Threads of one process settle it through a table of events, processes of one host through leases that the
kernel frees when their holder dies, those of many hosts through leases that end when their holder gives no
sign of life. Nobody waits for ever::

    thread ─┐                         lease of the key
    thread ─┼─ table: one leader ───► granted: look again, compute, store, release
    task   ─┘  the others wait        refused: ask again every 1 to 50 ms, then the same

Tasks of event loops stand in the same table (`join`). They are called back, and wait in their loops
(`boarding`).

Once a leader is done, those who waited look into the store. If nothing is there the leader has failed, and
they compute all at once: a queue of failures would cost each of them the sum of all. A leader that was
killed is different: whoever gets the lease first takes over, and the others go on waiting. So it is with a
task that was cancelled: it hands on what it held.
"""

import threading
import time
from collections.abc import Callable, Generator
from typing import NamedTuple, TypeAlias

from ..protocols import IsRemote, SupportsLease, supports
from ..system.computing import COMPUTING
from ..system.forks import after_fork_in_child

__all__ = ["Flights", "Ticket", "Wake"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.05


class Ticket(NamedTuple):
    """The right to compute. Given back with `Flights.land`."""

    key: bytes
    is_leader: bool
    """Whether threads of this process wait for it."""

    has_lease: bool
    """Whether other processes wait for it."""


Wake: TypeAlias = "Callable[[bool], None]"
"""Called once, in any thread, when the leader is done; with whether it has handed on its place."""


class _Leader(NamedTuple):
    """Who computes a key, and what the others of the process wait for."""

    thread: int
    """0 for a task: tasks of one thread wait for each other."""

    wakes: list[Wake]


class Flights:
    """Who computes which key. One for each store and process; safe to use from several threads.

    Parameters
    ----------
    store
        Settles it between processes, if it can (`SupportsLease`).

    Attributes
    ----------
    is_remote
        Whether asking for leases takes long (`IsRemote`).
    """

    def __init__(self, store: object) -> None:
        self._leases = store if supports(store, SupportsLease) else None
        self.is_remote = supports(store, IsRemote)
        self._lock = threading.Lock()
        self._leaders: dict[bytes, _Leader] = {}
        after_fork_in_child(self._renew)

    def board(self, key: bytes, *, bound: float) -> Ticket:
        """Wait until nobody else computes `key`, at most `bound` seconds; what was made meanwhile is stored.

        Whoever gets a ticket looks into the store once more before computing.
        """
        if key in COMPUTING.get():
            return Ticket(key, False, False)
        thread = threading.get_ident()
        done = None
        with self._lock:
            leader = self._leaders.setdefault(key, _Leader(thread, []))
            # A thread never waits for itself: its own entry was left by an interrupt between two lines.
            if leader.thread != thread:
                done = threading.Event()  # made by those who wait: it takes 2 µs, and most need none
                leader.wakes.append(lambda _: done.set())
        if done is not None:
            done.wait(bound)
            return Ticket(key, False, False)
        try:
            return Ticket(key, True, self._lease(key, bound))
        except BaseException:
            self.land(Ticket(key, True, False), failed=True)
            raise

    def join(self, key: bytes, wake: Wake) -> Ticket | None:
        """A ticket at once; or ``None``, and `wake` is called when the leader of the key is done.

        The leader has yet to get the lease, if there are leases: see `asking`.
        """
        if key in COMPUTING.get():
            return Ticket(key, False, False)
        with self._lock:
            leader = self._leaders.get(key)
            if leader is not None:
                leader.wakes.append(wake)
                return None
            self._leaders[key] = _Leader(0, [])
        return Ticket(key, True, False)

    def land(self, ticket: Ticket, *, failed: bool, handed_on: bool = False) -> None:
        """Give a ticket back, after the result was stored, or after the computation failed.

        With `handed_on` one of those who wait takes over, and the others go on waiting.
        """
        if ticket.has_lease and self._leases is not None:
            self._leases.release(ticket.key, failed=failed)
        if ticket.is_leader:
            with self._lock:
                gone = self._leaders.pop(ticket.key, None)
            if gone is not None:
                for wake in gone.wakes:
                    wake(handed_on)

    def asking(self, key: bytes, *, bound: float) -> Generator[float, None, bool]:
        """Ask for the lease of a key: gives the pauses (s) to make, and returns whether it was granted.

        It is not if there are no leases, if its holder failed, or holds it for longer than `bound`.
        """
        leases = self._leases
        if leases is None:
            return False
        if leases.lease(key):
            return True
        mark = leases.failures(key)
        deadline = time.monotonic() + bound
        pause = _FIRST_PAUSE
        while time.monotonic() < deadline:
            yield pause  # the kernel tells nobody when a lease is freed, unless one waits without bound
            pause = min(2 * pause, _LONGEST_PAUSE)
            if leases.failures(key) != mark:
                return False
            if leases.lease(key):
                return True
        return False

    def _lease(self, key: bytes, bound: float) -> bool:
        if self._leases is not None and self._leases.lease(key):  # nearly always
            return True
        asking = self.asking(key, bound=bound)
        while True:
            try:
                time.sleep(next(asking))
            except StopIteration as answer:
                return bool(answer.value)

    def _renew(self) -> None:
        """In a forked child the leaders of other threads do not exist."""
        self._lock = threading.Lock()
        self._leaders = {}
