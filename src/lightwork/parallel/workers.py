"""What a call asks of its workers: checked when a `Parallel` is made, carried out when it is called."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from .. import parallel  # its `preloading` is loaded by who names modules
from ..errors import InvalidOption
from ..hashing.digests import BLAKE3
from ..parcel.parcels import split
from ..protocols import Engine, ForeignWorkers, supports
from ..system.figures import whole
from ..system.numeric import NUMERIC
from ..system.processes import own_bytes
from ..system.units import parse_bytes
from .around import Around, Feature
from .config import Settings, check_initializer, parse_inner
from .failures import add_note
from .initializing import Broken, Initializer, Preload, RemoteInitializer
from .limiting import TaskLimit, ThreadLimit
from .options import Unset, refuse_lacking
from .task import Layer

__all__ = ["Environments", "Wanted", "Workers", "checked"]

Environments: TypeAlias = Mapping[str, str] | Callable[[int], Mapping[str, str]]
"""Variables for all workers, or what gives those of one by its number."""

_PROCESS_ONLY: Final = ("worker_env", "max_worker_memory", "max_tasks_per_worker", "memory_budget")


class Wanted(NamedTuple):
    """The arguments of `Parallel`, as they were given."""

    inner: int | Unset | None
    initializer: Callable[..., object] | None
    initargs: Iterable[Any]  # Any: arguments of the user's function
    worker_env: Environments | None
    max_worker_memory: int | str | None
    max_tasks_per_worker: int | None
    memory_budget: int | str | None = None
    preload: Iterable[str] | None = None

    @property
    def need_processes(self) -> bool:
        """Whether only worker processes can do what is asked."""
        return any(getattr(self, name) is not None for name in _PROCESS_ONLY)


class Workers(NamedTuple):
    """What one `Parallel` asks of its workers."""

    initializer: Callable[..., object] | None
    initargs: tuple[Any, ...]  # Any: arguments of the user's function
    inner: int | None
    """`inner_max_num_threads`, if given."""

    worker_env: Environments | None
    max_worker_memory: int | None
    """Bytes."""

    max_tasks_per_worker: int | None
    memory_budget: int | None
    """Bytes, of all workers together."""

    preload: tuple[str, ...]
    """Names of modules."""

    @property
    def need_processes(self) -> bool:
        """Whether the calls cannot run in the caller's thread, not even with one worker."""
        return any(getattr(self, name) is not None for name in _PROCESS_ONLY)

    def options(self, workers: int) -> dict[str, Any]:  # Any: as `SessionRequest.options`
        """The options of a session of the process engine with so many workers."""
        if not self.need_processes:
            return {}
        options: dict[str, Any] = {
            "max_worker_memory": self.max_worker_memory,
            "max_tasks_per_worker": self.max_tasks_per_worker,
        }
        if self.memory_budget is not None:
            # What a worker has kept of earlier calls would come on top of what its tasks are seen to need.
            options["max_kept_memory"] = max(1, self.memory_budget // workers)
        if self.worker_env is not None:
            options["worker_env"] = [_environment(self.worker_env, number) for number in range(workers)]
        return options

    def here(self) -> Around:
        """What is done around tasks that run in the caller's thread."""
        features = []
        if self.inner is not None:
            NUMERIC.check(f"inner_max_num_threads={self.inner}")
            features.append(Feature(TaskLimit(self.inner)))
        if self.initializer is not None:
            features.append(_beginning(Initializer(self.initializer, self.initargs, self._title())))
        return (*features, *self._preload())

    def there(self, engine: Engine, share: int) -> Around:
        """What is done around tasks in workers of an engine that have `share` cores each."""
        features = []
        # Worker processes of ours are limited from their birth on, those of others if that was asked for.
        is_named = self.inner is not None and (engine.shares_memory or supports(engine, ForeignWorkers))
        if is_named or (engine.shares_memory and NUMERIC.is_at_hand()):
            features.append(Feature(ThreadLimit(share)))
        if self.initializer is not None:
            prepare = Initializer if engine.shares_memory else _remote
            features.append(_beginning(prepare(self.initializer, self.initargs, self._title())))
        return (*features, *self._preload())

    def _preload(self) -> Around:
        """The innermost layer, which is entered first: an initializer finds the modules there."""
        return (_beginning(Preload(self.preload)),) if self.preload else ()

    def _title(self) -> str:
        return f"initializer {getattr(self.initializer, '__qualname__', repr(self.initializer))}"


def _beginning(layer: Layer) -> Feature:
    return Feature(layer, {Broken: _fail})


def _fail(index: int, broken: Broken) -> None:
    add_note(broken.error, f"{broken.title} of the workers failed")
    raise broken.error


def checked(wanted: Wanted, engine: Engine, n_jobs: int, settings: Settings) -> Workers:
    """What is asked, after it was checked and completed from the configuration.

    Raises
    ------
    InvalidOption
        Something cannot be right, or cannot be had from this engine; the message names it.
    MissingDependency
        Inner threads ask for threadpoolctl, which is not installed.
    """
    inner, initializer, initargs, worker_env, max_worker_memory, max_tasks_per_worker, budget, names = wanted
    args = check_initializer(initializer, initargs)
    threads = settings.inner_max_num_threads if isinstance(inner, Unset) else parse_inner(inner)
    if initializer is None:
        initializer, args = settings.initializer, settings.initargs
    _check_environment(worker_env)
    workers = Workers(
        initializer,
        args,
        threads,
        worker_env,
        _parse_size("max_worker_memory", max_worker_memory),
        _parse_count(max_tasks_per_worker),
        _parse_size("memory_budget", budget),
        settings.preload if names is None else parallel.preloading.parse_preload(names),
    )
    if workers.preload and not supports(
        engine, ForeignWorkers
    ):  # those may have modules that this process has not
        parallel.preloading.check_preload(workers.preload)
    for name in (*_PROCESS_ONLY, "initializer"):
        if getattr(workers, name) is not None:
            refuse_lacking(engine, name, getattr(workers, name))
    if engine.shares_memory:
        for name in _PROCESS_ONLY:
            if getattr(workers, name) is not None:
                raise InvalidOption(
                    f"{name}={getattr(workers, name)!r} is for worker processes, "
                    f'and backend={engine.name!r} has none: use backend="processes"'
                )
    if budget is not None and not own_bytes():
        raise InvalidOption(f"memory_budget={budget!r}: this system does not tell what memory processes have")
    is_foreign = supports(engine, ForeignWorkers)
    is_here = n_jobs == 1 and not workers.need_processes
    if threads is not None and (engine.shares_memory or is_foreign or is_here):
        NUMERIC.check(f"inner_max_num_threads={threads}")
    return workers


def _parse_size(name: str, nbytes: int | str | None) -> int | None:
    size = None if nbytes is None else parse_bytes(nbytes, name=name)
    if size is not None and size < 1:
        raise InvalidOption(f"{name}={nbytes!r}: give more than nothing, or None")
    return size


def _parse_count(tasks: object) -> int | None:
    number = whole(tasks)
    if tasks is not None and (number is None or number < 1):
        raise InvalidOption(f"max_tasks_per_worker={tasks!r}: give a whole number of 1 or more, or None")
    return number


def _check_environment(environment: object) -> None:
    if environment is None or callable(environment):
        return
    if not isinstance(environment, Mapping):
        raise InvalidOption(
            f"worker_env={environment!r}: give a mapping of names to values, "
            "or a function that returns one for the number of a worker"
        )
    _check_variables(environment, "worker_env")


def _check_variables(variables: Mapping[Any, Any], source: str) -> None:  # Any: this is the test
    for name, value in variables.items():
        if not isinstance(name, str) or not isinstance(value, str) or not name or "=" in name:
            raise InvalidOption(
                f"{source}: {name!r} with the value {value!r} is no environment variable: both must be texts"
            )
        if "\0" in name + value:
            raise InvalidOption(f"{source}: {name!r} holds a zero byte, which no environment variable can")


def _environment(environment: Environments, number: int) -> dict[str, str]:
    """The variables of one worker."""
    if not callable(environment):
        return dict(environment)
    variables = environment(number)
    if not isinstance(variables, Mapping):
        raise InvalidOption(f"worker_env({number}) returned {variables!r}: return names with values")
    _check_variables(variables, f"worker_env({number})")
    return dict(variables)


def _remote(
    initializer: Callable[..., object],
    initargs: tuple[Any, ...],  # Any: arguments of the user's function
    title: str,
) -> RemoteInitializer:
    parcel = split((initializer, initargs), by_value=True, path="initializer")
    digests = [BLAKE3.of(parcel.skeleton), *map(BLAKE3.buffer, parcel.buffers)]
    return RemoteInitializer(parcel.skeleton, parcel.buffers, BLAKE3.join(digests), title)
