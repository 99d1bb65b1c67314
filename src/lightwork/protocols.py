"""What the floors agree on, and what others may implement: engines, sessions, runners, stores.

Nothing here does anything. Each protocol has at most five methods; extra abilities are extra protocols,
found with ``isinstance``. This module imports nothing of lightwork and defines no dataclass (they cost
up to a millisecond each at import).

How a parallel call talks to an engine::

    driver (parallel/)                          engine (engines/)
    ──────────────────                          ─────────────────
    engine.open(request)            ─────────►  a session: slots 0 .. n_jobs - 1
    session.send(slot, batch)       ─────────►  queued for the worker of that slot, never blocks
    session.take_back(slot)         ─────────►  asks for tasks that were not started yet
    session.wait(timeout)           ◄─────────  [Done | Failed | Lost | Returned | Told, ...]
    session.close(abort=...)        ─────────►  workers go back to the pool, or are killed

An engine never calls back. It knows no order, no batching policy and no retries: those are the flow's.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

from .errors import TaskTimeout, WorkerDied

Buffer: TypeAlias = "bytes | bytearray | memoryview"
"""Bytes that travel beside a skeleton. A memoryview is C-contiguous, 1-d, and of format ``'B'``."""

# Any: the arguments and results of users' functions.
Call: TypeAlias = "tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]"
"""One task as `delayed` makes it: function, positional arguments, keyword arguments."""

Run: TypeAlias = "Callable[[int, Call], Any]"
"""Runs one task, given its index, and returns its value; its error passes through."""

Tell: TypeAlias = "Callable[[int, object], None]"
"""Says something of a task to the call it belongs to, see `Told`: the index and any object that pickles."""


# ---------------------------------------------------------------------------------------------------------
# Engines: where calls run
# ---------------------------------------------------------------------------------------------------------


class Batch(NamedTuple):
    """Tasks that are sent to one worker at once. Task ``calls[k]`` has the index ``start + k``."""

    start: int
    calls: Sequence[Call]


class Done(NamedTuple):
    """Tasks ``start .. start + len(values) - 1`` of a slot ended well, in `seconds` of the worker's time."""

    slot: int
    start: int
    values: Sequence[Any]  # Any: what users' functions return
    seconds: float

    began: float | None = None
    """When the first of them began, by `time.monotonic`; ``None`` if the engine does not tell."""

    slowest: tuple[int, float] | None = None
    """The index of the one that took longest, and its seconds, if the engine tells."""

    ends: Sequence[int] | None = None
    """When each of them ended, in nanoseconds of `time.monotonic`, if `SessionRequest.timed` asked for it."""


class Failed(NamedTuple):
    """One task ended with an error; its cause is a `RemoteTraceback` if it came from another process."""

    slot: int
    index: int  # type: ignore[assignment]  # shadows tuple.index, which no event needs
    error: BaseException
    seconds: float
    began: float | None = None
    """As in `Done`."""


class Lost(NamedTuple):
    """The worker of a slot is gone. `running` is the index of the task that it ran, ``None`` if none.

    `error` is what that task is said to have failed with: `TaskTimeout` if it was ended for being late.

    Tasks that were sent to the slot and not reported before are the flow's to send again: they ran at
    most once more than they are reported (at least once in all). The slot can be sent to at once.
    """

    slot: int
    running: int | None
    error: WorkerDied | TaskTimeout


class Returned(NamedTuple):
    """Tasks ``start .. stop - 1`` were taken back before they started. An empty range is an answer too."""

    slot: int
    start: int
    stop: int


class Told(NamedTuple):
    """What a runner said of the task `index` while it ran. It comes before the report of that task."""

    slot: int
    index: int  # type: ignore[assignment]  # shadows tuple.index, which no event needs
    what: object


Report: TypeAlias = Done | Failed | Lost | Returned
"""What became of tasks."""

Event: TypeAlias = Report | Told


@runtime_checkable
class Runner(Protocol):
    """What a worker does around each task. Picklable; sent once per worker and session.

    It carries what `parallel` wants done where the task runs (nesting level, context, seeds, timing),
    so that engines can run opaque calls.
    """

    def start(self, tell: Tell) -> Run:
        """Called once in the worker (each thread that runs tasks) before the first task of a session.

        Returns what runs the tasks. `tell` may be called from any thread, until `stop`.
        """

    def stop(self) -> None:
        """Called once in the worker after the last task of a session."""


class StatelessCallable:
    """A mark for classes of callable objects that no call changes, as far as results go.

    Plain functions travel to a worker once per session. Other callables are state, so they travel with each
    task, unless their class carries this mark.
    """

    __slots__ = ()


class Known(NamedTuple):
    """The result of a call that was made before."""

    value: Any  # Any: what users' functions return


@runtime_checkable
class SupportsRecall(Protocol):
    """A callable that may know the result of a call without running anything."""

    def recall(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
        """The result of a call as `Known`; or a key for `resume`, made of builtin values; or ``None``.

        Quick: a call that takes long to look up (large arguments, say) gets ``None``.
        """

    def resume(self, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of a call that `recall` gave a key for, in this process or another."""


class SessionRequest(NamedTuple):
    """What a parallel call asks of an engine."""

    n_jobs: int
    """Number of slots, ``>= 1``. Workers are started on demand, when a slot is first sent to."""

    runner: Runner

    inner_threads: int | None
    """Threads that BLAS and OpenMP may use in each worker; ``None``: the cores are shared out, as far as the
    engine can, and as the user has not set other limits himself."""

    options: Mapping[str, Any]  # Any: each engine reads its own
    """Options that only the engine reads. It refuses those it does not know, with `InvalidOption`."""

    timed: bool = False
    """Whether each `Done` shall tell when each of its tasks ended. An engine that cannot leaves it out."""


@runtime_checkable
class Session(Protocol):
    """One call's hold on its workers. Used by one thread at a time; only `wake` may come from any thread.

    Every task that was sent ends in exactly one report (a value of `Done`, a `Failed`, `Lost.running`, a
    range of `Returned`), or its slot is `Lost`, or the session is closed. A task whose arguments cannot be
    taken apart is `Failed` by itself; the other tasks of its batch run.
    """

    def send(self, slot: int, batch: Batch) -> None:
        """Queue a batch for a slot; batches of one slot run in the order sent. Does not block."""

    def take_back(self, slot: int) -> None:
        """Ask for tasks of the slot that have not started; answered by exactly one `Returned` (or `Lost`).

        A session may also give tasks back that nobody has asked for.
        """

    def wait(self, timeout: float | None) -> Sequence[Event]:
        """Block until something happened, `wake` was called or `timeout` seconds went by; may be empty.

        All events happened before it returned, so they are taken in together before anything is sent:
        a slot may have reported values first and be `Lost` further on.
        """

    def wake(self) -> None:
        """Let a `wait` that is going on in another thread, or the next one, return at once."""

    def close(self, *, abort: bool) -> None:
        """End the session. With `abort` running tasks are killed (threads: abandoned). Safe to call twice."""


@runtime_checkable
class SupportsFlush(Protocol):
    """A session that may keep batches back, so that several leave together."""

    def flush(self) -> None:
        """Let all batches go that could make a worker idle if they stayed. Does not block.

        Called before something that may take long, such as reading the input. `Session.wait` needs no call.
        """


@runtime_checkable
class SupportsMemory(Protocol):
    """A session that knows how much memory its workers have."""

    def memory(self) -> Sequence[int]:
        """For each slot the bytes that its worker shares with nobody; 0 if they cannot be read.

        Asked by the thread that drives, some times a second. Does not block.
        """


@runtime_checkable
class SupportsWarmUp(Protocol):
    """An engine whose first session takes long to begin."""

    def warm_up(self) -> None:
        """Begin now what the first task will wait for; returns at once. A call is about to open a session."""


@runtime_checkable
class Engine(Protocol):
    """A place where calls run. One engine may have several sessions open at once, from several threads."""

    @property
    def name(self) -> str:
        """The name that ``backend=`` takes."""

    @property
    def shares_memory(self) -> bool:
        """Whether tasks see the caller's own objects (threads) or copies of them (processes)."""

    def effective_n_jobs(self, n_jobs: int) -> int:
        """The number of workers that a request for `n_jobs` (``-1``: all cores, never 0) really gets here."""

    def open(self, request: SessionRequest) -> Session:
        """Begin a session. Starts nothing that the first `send` does not need."""

    def shutdown(self) -> None:
        """End idle workers and whatever else the engine holds. Safe to call twice, and to use it again."""


class SupportsSubmit(Protocol):
    """What has workers of its own: an executor of `concurrent.futures` or the like, a client of Dask."""

    def submit(self, function: Callable[..., Any], /, *args: Any) -> Any:  # Any: users' functions; a future
        """Run a function there."""


@runtime_checkable
class ForeignWorkers(Protocol):
    """An engine whose workers the user has chosen and made himself: an executor, a cluster.

    Calls never run in the caller's thread then, whatever `n_jobs` is, and by default all workers are used.
    """

    @property
    def lacks(self) -> Mapping[str, str]:
        """Options of `Parallel` that it cannot keep, each with the reason. They are refused."""

    @property
    def batch_seconds(self) -> float:
        """How much work a batch should hold to be worth its way, in seconds."""

    def is_crowded(self) -> bool:
        """Whether one of its processes may run several tasks of a call at once, in threads."""


# ---------------------------------------------------------------------------------------------------------
# Stores: where records live
# ---------------------------------------------------------------------------------------------------------


class Record(NamedTuple):
    """One kept value: a parcel (skeleton and buffers) and a few facts about the call that made it."""

    skeleton: bytes
    buffers: Sequence[Buffer]
    facts: bytes
    """UTF-8 JSON, small: function, duration (s), written (s since the epoch), argument summary."""


class Entry(NamedTuple):
    """What a store can tell of a record without reading it."""

    key: bytes
    nbytes: int
    written: float
    """Seconds since the epoch."""

    accessed: float
    """Seconds since the epoch; may lag behind, since hits are written in batches."""

    seconds: float
    """How long the call took that made the record."""


@runtime_checkable
class Store(Protocol):
    """Keyed records that appear whole or not at all. Safe to use from many threads and processes.

    Keys are 32 bytes. The first 8 name a function, so that ``scan(prefix)`` finds what belongs to it.
    """

    def get(self, key: bytes) -> Record | None:
        """The record, or ``None``. Half-written, damaged and unreadable records are ``None`` too."""

    def put(self, key: bytes, record: Record, *, seconds: float = 0.0) -> None:
        """Publish a record whole, replacing one of its key. Raises `StoreUnavailable`, leaving nothing."""

    def drop(self, keys: Iterable[bytes]) -> int:
        """Remove records; the number that were there. Values that were mapped from them stay valid."""

    def scan(self, prefix: bytes = b"") -> Iterator[Entry]:
        """All entries whose key begins with `prefix`, in no order. What vanishes meanwhile is left out."""

    def close(self) -> None:
        """Let go of files and connections. The store opens again when it is next used."""


class Totals(NamedTuple):
    """What a store holds."""

    records: int
    nbytes: int
    """Bytes of all records; what several of them share is counted once."""


@runtime_checkable
class SupportsCounters(Protocol):
    """A store that knows its size without looking at its records."""

    def totals(self) -> Totals:
        """Number and bytes of all records, none of which is read."""


@runtime_checkable
class SupportsPrefix(Protocol):
    """A store that removes many records faster than one by one."""

    def clear(self, prefix: bytes = b"") -> int:
        """Remove all records whose key begins with `prefix`; how many those were."""


@runtime_checkable
class SupportsNotes(Protocol):
    """A store that keeps notes beside its records, which tell why a call found none.

    A note is a small text under a key of 32 bytes. Notes are no records: they are neither counted nor
    evicted, and `SupportsPrefix.clear` removes those of its prefix.
    """

    def note(self, key: bytes, text: bytes) -> None:
        """Keep a note, in place of one of its key. Raises `StoreUnavailable`."""

    def noted(self, key: bytes) -> bytes | None:
        """The note, or ``None``."""

    def recent(self, prefix: bytes, limit: int) -> Sequence[bytes]:
        """The facts of at most `limit` records whose keys begin with `prefix`, those written last first.

        The records count as unused all the same.
        """


class Limits(NamedTuple):
    """What a store may hold; ``None`` sets no limit."""

    max_bytes: int | None = None
    """Bytes on disk, all that belongs to the store included."""

    max_items: int | None = None
    max_age: float | None = None
    """Seconds since the last use."""


@runtime_checkable
class SupportsVerification(Protocol):
    """A store that does not read all bytes of a record on each `Store.get`."""

    def verified(self, key: bytes) -> Record | None:
        """As `Store.get`, after every byte was read and compared with its digest. Counts as no use."""


@runtime_checkable
class SupportsLimits(Protocol):
    """A store that carries out limits by itself."""

    def put_within(self, key: bytes, record: Record, *, seconds: float, limits: Limits) -> None:
        """As `Store.put`, but first remove what is worth least, so that the limits hold before and after.

        Raises `StoreUnavailable` if there can be no room for the record.
        """

    def trim(
        self,
        *,
        max_bytes: int | None = None,
        max_items: int | None = None,
        accessed_since: float | None = None,
    ) -> int:
        """Remove least recently used records until all limits hold; how many those were.

        `accessed_since` (seconds since the epoch) removes what was used last before that time.
        """


@runtime_checkable
class IsRemote(Protocol):
    """A store over a network: each request takes milliseconds, or seconds if something is wrong.

    So event loops ask it in threads. Only what `SupportsLease` has but `lease` returns at once.
    """

    @property
    def is_remote(self) -> bool:
        """True."""


@runtime_checkable
class SupportsLease(Protocol):
    """A store through which processes agree who computes a key, on one host or on many. Nothing waits."""

    def lease(self, key: bytes) -> bool:
        """Take the lease of a key, unless another process has it.

        Ends with the process, however it ends: at once, or a stated time after it.

        Threads of one process all get it: they settle it among themselves.
        """

    def release(self, key: bytes, *, failed: bool) -> None:
        """Give a lease back; `failed` tells the others that no record was made."""

    def failures(self, key: bytes) -> bytes:
        """A mark that changes when a holder of the key's lease failed."""
