"""What `Parallel` sends to its workers: how to run one task, and how deep it is nested.

Workers import this module and nothing else of `lightwork.parallel`: keep it small.
"""

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from .. import hashing
from ..errors import ParallelError
from ..protocols import Call, Run, StatelessCallable, SupportsRecall, Tell
from ..system.computing import COMPUTING, SHARE

if TYPE_CHECKING:
    from ..hashing.registered import Pickled

__all__ = ["Layer", "Preparing", "Resumed", "TaskRunner", "enter", "nesting_level"]

_NAMED = 5
"""Parts of a function that an error names."""

_LEVEL: ContextVar[int] = ContextVar("lightwork_nesting_level", default=0)


def nesting_level() -> int:
    """How many parallel calls the running code is in: 0 in a script, 1 in a task, 2 in a task of a task."""
    return _LEVEL.get()


class Layer(Protocol):
    """Something that is done around each task, where it runs: a seed, a context, a capture.

    Picklable, and not changed by use: one object serves all threads of a session.
    """

    def enter(self, inner: Run, tell: Tell) -> Run:
        """Called once in each worker or thread before its first task; what runs tasks, around `inner`."""

    def leave(self) -> None:
        """Called there after its last task."""


@runtime_checkable
class Preparing(Layer, Protocol):
    """A layer that prepares the worker, see `lightwork.protocols.SupportsPreparation`."""

    digest: bytes
    title: str

    def without_load(self) -> Layer:
        """The same layer for workers that are prepared."""


def enter(layers: Sequence[Layer], tell: Tell) -> Run:
    """What runs a task inside of all layers, the first of them outermost. If one fails, none is entered."""
    run: Run = _run
    inside: list[Layer] = []
    try:
        for layer in reversed(layers):
            run = layer.enter(run, tell)
            inside.append(layer)
    except BaseException:
        for layer in reversed(inside):
            layer.leave()
        raise
    return run


def _run(index: int, call: Call) -> Any:  # Any: the result of the user's function
    function, args, kwargs = call
    return function(*args, **kwargs)


class Resumed(StatelessCallable):
    """A function that remembers, called with the key of the call in front, so that nobody hashes twice.

    Where it arrives the function may be another one than where its cache was asked: then some results would
    be those of the one, some those of the other, by what is kept. So it refuses to run there. That is looked
    at before its first call, since calls may change what a function holds.
    """

    __slots__ = ("_basis", "_differing", "function")

    def __init__(self, function: SupportsRecall, basis: object) -> None:
        self.function = function
        self._basis = basis
        self._differing: Sequence[str] | None = ()  # ``None`` until it was looked at

    def __call__(self, key: object, /, *args: Any, **kwargs: Any) -> Any:  # Any: of users' functions
        """What `function` returns for the arguments after the key.

        Raises
        ------
        ParallelError
            The function is another one here.
        """
        if self._differing is None:
            self._differing = self.function.differing(self._basis)
        if self._differing:
            raise _is_another(self.function, self._differing)
        return self.function.resume(key, args, kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, (self.function, self._basis)


def _arrived(function: SupportsRecall, basis: object) -> Resumed:
    resumed = Resumed(function, basis)
    resumed._differing = None
    return resumed


def _is_another(function: object, names: Sequence[str]) -> ParallelError:
    module, name = getattr(function, "__module__", "?"), getattr(function, "__qualname__", repr(function))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ParallelError(
        f"{module}.{name}, whose results are kept, is another function in the worker than where its cache "
        f"was asked: {', '.join(names[:_NAMED])}{more} differ there. Workers import modules as their files "
        "are, so what a program changes in one afterwards must be an argument, or be set by initializer="
    )


class TaskRunner:
    """Runs tasks one nesting level deeper than the call that sent them.

    The level is a context variable: each thread of a thread engine has its own, and a worker process sets
    it anew for each session. So are the cached calls that the sender is inside of: a task that asks for one
    of them computes at once, where waiting would be waiting for itself. So is the worker's share of the
    cores, within which nested calls stay. To another process it brings the rules of `register_hash`.
    Stateless otherwise, so one runner serves all threads of a session.
    """

    __slots__ = ("computing", "layers", "level", "rules", "share")

    def __init__(
        self,
        level: int,
        computing: frozenset[bytes] = frozenset(),
        rules: "Mapping[str, Pickled]" = MappingProxyType({}),
        layers: Sequence[Layer] = (),
        share: int | None = None,
    ) -> None:
        self.level = level
        self.computing = computing
        self.rules = dict(rules)
        self.layers = tuple(layers)
        self.share = share

    @property
    def preparation(self) -> bytes:
        """What tells the preparations of the layers from others."""
        return b"".join(layer.digest for layer in self._preparing())

    @property
    def title(self) -> str:
        """What the preparations are called."""
        return ", ".join(layer.title for layer in self._preparing())

    def without_preparation(self) -> "TaskRunner":
        """The same for workers that are prepared."""
        layers = [layer.without_load() if isinstance(layer, Preparing) else layer for layer in self.layers]
        return TaskRunner(self.level, self.computing, self.rules, layers, self.share)

    def _preparing(self) -> list[Preparing]:
        return [layer for layer in self.layers if isinstance(layer, Preparing)]

    def start(self, tell: Tell) -> Run:
        """Enter the level and the layers, for all tasks of this session in this worker."""
        _LEVEL.set(self.level)
        COMPUTING.set(self.computing)
        SHARE.set(self.share)
        if self.rules:
            hashing.adopt_rules(self.rules)
        return enter(self.layers, tell)

    def stop(self) -> None:
        """Leave the level: what the worker does next is nobody's task."""
        for layer in self.layers:
            layer.leave()
        _LEVEL.set(0)
        COMPUTING.set(frozenset())
        SHARE.set(None)
