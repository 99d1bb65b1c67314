"""Ray as an engine: the ray that this process is connected to, the one at an address, or one of our own."""

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from ...errors import EngineError, InvalidOption, ParallelError, WorkerDied
from ...protocols import SessionRequest
from ...system.cpu import workers_for
from ...system.optional import require
from ...system.units import parse_bytes
from .endings import explained
from .executor import check_options
from .handles import Handles
from .instances import INSTANCE, await_end, lacking, room
from .leaving import part
from .packets import Apart, Posted
from .packing import RemotePacker
from .scattering import ScatteringCarrier
from .session import FutureSession, Loss, Pending

__all__ = ["RayEngine", "RaySite"]

_LACKS: Final = MappingProxyType(
    {
        "task_timeout": "which task of a batch runs is known to its worker alone",
        "max_worker_memory": "their memory is ray's to watch; memory= reserves some for each batch",
        "max_tasks_per_worker": "its workers are ray's to replace",
        "memory_budget": "their memory is ray's to watch; memory= reserves some for each batch",
        "worker_env": "its workers are ray's; give them variables by runtime_env={'env_vars': ...}",
        "capture_output='fd'": "the descriptors of its workers are ray's; True captures what Python prints",
    }
)

_LOSSES: Final = ("WorkerCrashedError", "NodeDiedError", "OutOfMemoryError")
"""What ray says of a batch that took its worker with it, or went with it."""

_LOOK: Final = 1.0
"""Seconds between two looks whether ray is still there."""


class RayEngine:
    """Runs tasks on ray. A `ForeignWorkers`.

    A batch of tasks is a task of ray. Large arrays among the arguments are put into ray's object store: those
    of 1 MiB and more at first sight, those of 64 KiB and more at the second, each once per call.

    Parameters
    ----------
    address
        Of a cluster, as for ``ray.init``. By default what this process is connected to already, and if that
        is nothing, a ray on this machine that is started with the first call, serves later ones, and is ended
        by `shutdown` or at exit. ``RAY_ADDRESS`` counts as for ``ray.init``.
    num_cpus, num_gpus
        What each batch needs to run, as for ``ray.remote``; 1 and none.
    memory
        Bytes that each batch needs, or a text such as ``"2GB"``.
    resources
        Of other kinds, by name.
    runtime_env
        The environment of the tasks, as for ``ray.remote``. Folders of this machine (``working_dir``) belong
        to the caller's own ``ray.init``.

    Notes
    -----
    The workers must have lightwork, in a version like that of the caller. Ray itself tries nothing again: of
    a batch whose worker dies the tasks are tried one by one, the one that takes workers with it fails with
    `WorkerDied`, and ``retries=`` counts as with other workers.

    Large results of a generator stay in the object store until they are handed out, a batch at a time, if
    their call ends with the first error. Else results are fetched as soon as they are there, when the thread
    that drives the call gets to them.
    """

    def __init__(
        self,
        *,
        address: str | None = None,
        num_cpus: float = 1,
        num_gpus: float | None = None,
        memory: int | str | None = None,
        resources: Mapping[str, float] | None = None,
        runtime_env: Mapping[str, Any] | None = None,  # Any: ray reads it
        **unknown: Any,
    ) -> None:
        self._ray = require("ray", purpose="backend='ray'", extra="ray")
        if unknown:
            raise InvalidOption(
                f"backend='ray' has no option {', '.join(sorted(unknown))}: "
                "it takes address, num_cpus, num_gpus, memory, resources, runtime_env"
            )
        if not isinstance(address, str | None):
            raise InvalidOption(f"address={address!r}: give the address of a cluster, or None")
        self._address = address
        self._demand = {"CPU": _amount("num_cpus", num_cpus)}
        given: dict[str, Any] = {"num_cpus": num_cpus}
        if num_gpus is not None:
            given["num_gpus"] = self._demand["GPU"] = _amount("num_gpus", num_gpus)
        if memory is not None:
            given["memory"] = self._demand["memory"] = parse_bytes(memory, name="memory")
        if resources is not None:
            if not isinstance(resources, Mapping):
                raise InvalidOption(f"resources={resources!r}: give a mapping of names to amounts")
            given["resources"] = {name: _amount(f"resources[{name!r}]", n) for name, n in resources.items()}
            self._demand |= given["resources"]
        if runtime_env is not None:
            if not isinstance(runtime_env, Mapping):
                raise InvalidOption(f"runtime_env={runtime_env!r}: give a mapping, as for ray.remote")
            given["runtime_env"] = dict(runtime_env)
        try:
            # Which tasks of a lost batch run again is the call's to say, so ray shall not try it again.
            given |= {"name": "lightwork", "max_retries": 0}
            self._call = self._ray.remote(_call).options(**given)
            self._apart = self._ray.remote(_call_apart).options(num_returns=2, **given)
        except (TypeError, ValueError) as error:
            raise InvalidOption(f"backend='ray' does not take {given!r}: {error}") from error

    @property
    def name(self) -> str:
        """The name that ``backend=`` takes."""
        return "ray"

    @property
    def shares_memory(self) -> bool:
        """Tasks see copies of the caller's objects."""
        return False

    @property
    def lacks(self) -> Mapping[str, str]:
        """What is ray's to do, or cannot be seen from here."""
        return _LACKS

    @property
    def batch_seconds(self) -> float:
        """A way there and back takes one to three milliseconds."""
        return 50e-3

    def is_crowded(self) -> bool:
        """A worker of ray runs one task at a time."""
        return False

    def effective_n_jobs(self, n_jobs: int) -> int:
        """As many batches at once as asked for; ``-1``: as many as fit into what the cluster has now.

        A ray of our own has the cores that the process engine would use, or more if a call asks for more.

        Raises
        ------
        EngineError, InvalidOption
            As from `open`.
        """
        if n_jobs > 0:
            return n_jobs
        if self._address is None and not INSTANCE.is_there(self._ray):
            return workers_for(n_jobs)
        INSTANCE.ensure(self._ray, self._address, cpus=1)
        return max(1, room(self._ray.cluster_resources(), self._demand) + 1 + n_jobs)

    def open(self, request: SessionRequest) -> FutureSession:
        """Begin a session; starts ray or joins a cluster if that was not done before.

        Raises
        ------
        EngineError
            Ray cannot be started, the cluster not be reached, or nothing there will ever have what a batch
            needs.
        InvalidOption
            There is no option of that name, this process uses another cluster, or this is a task of ray that
            would keep its CPUs from the tasks that it waits for.
        UnpicklableError
            The runner cannot travel.
        """
        check_options("'ray'", request)
        INSTANCE.ensure(self._ray, self._address, cpus=request.n_jobs * self._demand["CPU"])
        self._check_place()
        packer = RemotePacker(request, ScatteringCarrier(RayDepot(self._ray)))
        site = RaySite(self._ray, self._apart if request.lazy else self._call, lazy=request.lazy)
        return FutureSession(request.n_jobs, packer, site, engine=self)

    def shutdown(self) -> None:
        """End a ray that was started here, and leave a cluster that was joined here."""
        INSTANCE.close()

    def _check_place(self) -> None:
        context = self._ray.get_runtime_context()
        mode = getattr(_worker(self._ray), "mode", None)
        if mode == self._ray.WORKER_MODE and context.get_assigned_resources().get("CPU", 0) > 0:
            raise InvalidOption(
                "backend='ray': this call is made by a task of ray that holds CPUs while it waits for others "
                "to get some; give that task num_cpus=0, or leave backend out"
            )
        # Clusters may grow, and ray itself says what they lack; this one will not.
        if INSTANCE.is_local(self._ray) and (lacks := lacking(self._ray.cluster_resources(), self._demand)):
            raise EngineError(
                f"backend='ray': a batch asks for more than this machine has, and would never run ({lacks})"
            )


class RayDepot:
    """A `Depot`: the object store. Ray brings what lies there to the nodes that need it."""

    def __init__(self, ray: Any) -> None:  # Any: the module
        self._ray = ray

    def store(self, thing: Any, *, everywhere: bool) -> Any:  # Any: a part; ray.ObjectRef
        """Put."""
        with INSTANCE.held(self._ray):
            return self._ray.put(thing)

    def is_lost(self, reference: Any) -> bool:  # Any: ray.ObjectRef
        """No: what this process has put lies in a store on its own machine."""
        return False


class RaySite:
    """A `Site`: functions become tasks of ray.

    If ray is shut down meanwhile, by whomever, its futures never end. Nothing tells of it, so a thread asks.
    No reference is let go of before that is over.

    Parameters
    ----------
    ray
        The module.
    call
        What ``ray.remote`` has made of `_call`; `lazy`: of `_call_apart`, whose large results stay.
    """

    def __init__(self, ray: Any, call: Any, *, lazy: bool = False) -> None:  # Any: as above
        self._ray = ray
        self._call = call
        self._lazy = lazy
        self._worker = _worker(ray)
        self._references = Handles()  # each a ray.ObjectRef
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._see, name="lightwork-ray", daemon=True)

    def submit(self, function: Callable[..., Any], args: Sequence[Any]) -> Pending:
        """Submit, and have the result brought here as soon as it is there, but for what may stay."""
        with INSTANCE.held(self._ray):
            references = self._call.remote(function, *args)
            reference = references[0] if self._lazy else references
            future: Pending = reference.future()
        self._references.add(future, reference)
        if self._watch.ident is None:
            self._watch.start()
        return _Apart(future, partial(self._bring, references[1])) if self._lazy else future

    def withdraw(self, pending: Pending) -> bool:
        """Ray does not tell whether a task has begun."""
        return False

    def explain(self, error: BaseException) -> ParallelError | Loss:
        """A worker that died is no end: ray starts another one."""
        if isinstance(error, ParallelError):
            return error
        kinds = self._ray.exceptions
        text = str(error).strip()
        if isinstance(error, tuple(getattr(kinds, name) for name in _LOSSES)):
            out_of_memory = isinstance(error, kinds.OutOfMemoryError) or None
            return Loss(
                WorkerDied(
                    f"a worker of ray ended without an answer ({type(error).__name__}: {text})",
                    pid=0,
                    out_of_memory=out_of_memory,
                )
            )
        if isinstance(error, kinds.ObjectLostError):
            lost = WorkerDied(
                f"nodes of ray were lost, and with them data that this task needs ({text})", pid=0
            )
            return Loss(lost, is_innocent=True)
        if isinstance(error, kinds.RuntimeEnvSetupError):
            return EngineError(f"backend='ray': runtime_env cannot be set up: {text}")
        if "No module named 'lightwork" in text:
            return EngineError(
                "backend='ray': its workers have no lightwork, or not the same as this process: install it "
                f"on all nodes ({text})"
            )
        return explained("ray", error)

    def leave(self, pendings: Sequence[Pending], *, abort: bool) -> None:
        """End tasks that nobody waits for, with their workers."""
        self._over.set()
        references = self._references.take(
            pending.future if isinstance(pending, _Apart) else pending for pending in pendings
        )
        with contextlib.suppress(EngineError), INSTANCE.held(self._ray):
            for reference in references:
                self._ray.cancel(reference, force=True)
        await_end(self._ray, self._worker)

    def _bring(self, reference: Any) -> Sequence[Posted]:  # Any: ray.ObjectRef
        """What lies in the store, or the error that the caller of the flow shall see."""
        if not INSTANCE.is_there(self._ray):  # ray itself would start one
            raise EngineError(
                "backend='ray': ray is gone, and with it a result that was not taken from its generator yet"
            )
        try:
            brought: Sequence[Posted] = self._ray.get(reference)
        except Exception as error:
            meaning = self.explain(error)
            raise (meaning.error if isinstance(meaning, Loss) else meaning) from error
        return brought

    def _see(self) -> None:
        """See that ray is there, as long as the session is."""
        while not self._over.wait(_LOOK):
            if not self._ray.is_initialized():
                await_end(self._ray, self._worker)
                gone = EngineError("backend='ray': ray was shut down while a call was going on")
                for pending in self._references.pendings():
                    if not pending.done():
                        pending.set_exception(gone)
                return


def _worker(ray: Any) -> object:  # Any: the module
    """What ray itself knows of this process. Clients of a far ray have none."""
    return getattr(ray.get_runtime_context(), "worker", None)


# Any: users' functions. Where references stood among the arguments there are the objects now.
def _call(function: Callable[..., Any], *args: Any) -> Any:
    return function(*args)


def _call_apart(function: Callable[..., Any], *args: Any) -> tuple[Any, Any]:
    return part(function(*args))


class _Apart:
    """A `Pending` whose result is that of a future of ray's, and what brings the rest of it."""

    def __init__(self, future: Pending, bring: Callable[[], Sequence[Posted]]) -> None:
        self.future = future
        self._bring = bring

    def add_done_callback(self, done: Callable[[Any], object], /) -> None:
        # Called with the future: one that knew of us would be a circle that keeps what is in the store.
        self.future.add_done_callback(done)

    def exception(self) -> BaseException | None:
        error = self.future.exception()
        if error is not None:
            with contextlib.suppress(Exception):  # what ray sees nobody look at it logs as overlooked
                self._bring()
        return error

    def result(self) -> Apart:
        return Apart(self.future.result(), self._bring)


def _amount(name: str, amount: object) -> float:
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount < float("inf"):
        raise InvalidOption(f"{name}={amount!r}: give a number that is not negative")
    return float(amount)
