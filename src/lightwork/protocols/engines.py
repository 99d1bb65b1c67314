"""What drivers and engines agree on: where calls run.

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

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

from ..errors import TaskTimeout, WorkerDied

__all__ = [
    "Batch",
    "Call",
    "Done",
    "Engine",
    "Event",
    "Failed",
    "ForeignWorkers",
    "Known",
    "Lost",
    "Report",
    "Returned",
    "Run",
    "Runner",
    "Session",
    "SessionRequest",
    "StatelessCallable",
    "SupportsCost",
    "SupportsFlush",
    "SupportsMemory",
    "SupportsPreparation",
    "SupportsRecall",
    "SupportsSubmit",
    "SupportsWarmUp",
    "Tell",
    "Told",
    "Unfetched",
]

# Any: the arguments and results of users' functions.
Call: TypeAlias = "tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]"
"""One task as `delayed` makes it: function, positional arguments, keyword arguments."""

Run: TypeAlias = "Callable[[int, Call], Any]"
"""Runs one task, given its index, and returns its value; its error passes through."""

Tell: TypeAlias = "Callable[[int, object], None]"
"""Says something of a task to the call it belongs to, see `Told`: the index and any object that pickles."""


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


@runtime_checkable
class SupportsPreparation(Protocol):
    """A runner that prepares its worker, once for all sessions that ask for the same.

    What it takes may be large, so an engine may send a lighter runner to a worker that is prepared: one whose
    last session with a preparation had this one, and reported a result. Others know nothing of it.
    """

    @property
    def preparation(self) -> bytes:
        """What tells one preparation from another; empty if there is none."""

    @property
    def title(self) -> str:
        """What to call the preparation in messages."""

    def without_preparation(self) -> Runner:
        """The same runner for workers that are prepared."""


class StatelessCallable:
    """A mark for classes of callable objects that no call changes, as far as results go.

    Plain functions travel to a worker once per session. Other callables are state, so they travel with each
    task, unless their class carries this mark.
    """

    __slots__ = ()


class Unfetched:
    """Stands for a result that is still where its task ran, see `SessionRequest.lazy`.

    Parameters
    ----------
    fetch
        Brings the result here, once; blocks, and raises what keeps it from coming. Called by whoever hands
        the result out, in any thread, perhaps after the session was closed.
    nbytes
        About how large it is.
    """

    __slots__ = ("fetch", "nbytes")

    def __init__(self, fetch: Callable[[], Any], nbytes: int) -> None:  # Any: what users' functions return
        self.fetch = fetch
        self.nbytes = nbytes


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

    def basis(self) -> Any:
        """What results depend on beside the arguments, as it is in this process; made of builtin values."""

    def differing(self, basis: Any) -> Sequence[str]:
        """The names of what is another one here than in the process that made `basis`; none if nothing is."""


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

    lazy: bool = False
    """Whether a `Done` may have `Unfetched` among its values. If one cannot be fetched, the call ends."""


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
class SupportsCost(Protocol):
    """A session that measures what its batches cost beside their tasks, where that depends on the workers."""

    def cost(self) -> float | None:
        """Seconds that a batch was on its way there and back at least; ``None`` as long as nobody knows."""


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
