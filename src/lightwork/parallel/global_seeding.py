"""The random states that a process has once (`random`, ``numpy.random``, torch), seeded for each task.

Only where tasks have them for themselves: in worker processes and in the caller's thread (``n_jobs=1``).
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any, Final, NamedTuple

from ..protocols import Call, Run, Tell
from ..system.optional import loaded
from .imports import ImportWatch
from .seeding import digest

__all__ = ["GlobalSeeding"]


class _State(NamedTuple):
    """How the state of one library is handled. Any: the module, and whatever it calls its state."""

    seed: Callable[[Any, bytes], object]
    get: Callable[[Any], Any]
    put: Callable[[Any, Any], object]
    renew: Callable[[Any], object]
    """Seed it from the system, as it is in a new process."""


_STATES: Final = {
    "random": _State(
        lambda random, key: random.seed(int.from_bytes(key)),
        lambda random: random.getstate(),
        lambda random, state: random.setstate(state),
        lambda random: random.seed(),
    ),
    "numpy.random": _State(
        lambda random, key: random.seed([int.from_bytes(key[at : at + 4]) for at in range(0, 32, 4)]),
        lambda random: random.get_state(legacy=False),
        lambda random, state: random.set_state(state),
        lambda random: random.seed(),
    ),
    "torch": _State(
        lambda torch, key: torch.manual_seed(int.from_bytes(key[:8]) >> 1),
        lambda torch: torch.get_rng_state(),
        lambda torch, state: torch.set_rng_state(state),
        lambda torch: torch.seed(),
    ),
}


class GlobalSeeding:
    """Seeds the libraries that are loaded before each task, and those that a task loads when it does.

    A `Layer` for one thread at a time. Afterwards the states are as they were (`restores`), or as in a new
    process, which is cheaper and as good where nobody else uses them.
    """

    __slots__ = ("_restores", "_running", "_seed", "_watch")

    def __init__(self, seed: int, *, restores: bool) -> None:
        self._seed = seed
        self._restores = restores
        self._running: int | None = None
        self._watch: ImportWatch | None = None

    def enter(self, inner: Run, tell: Tell) -> Run:
        """What runs a task with seeded states around `inner`."""
        self._watch = ImportWatch(_STATES.keys(), self._arrived)
        self._watch.begin()

        def run(index: int, call: Call) -> Any:  # Any: the result of the user's function
            self._seed_loaded(index)
            self._running = index
            try:
                return inner(index, call)
            finally:
                self._running = None

        def run_and_restore(index: int, call: Call) -> Any:  # Any: as in `run`
            before = {name: _STATES[name].get(module) for name, module in _loaded().items()}
            try:
                return run(index, call)
            finally:
                for name, module in _loaded().items():
                    if name in before:
                        _STATES[name].put(module, before[name])
                    else:
                        _STATES[name].renew(module)

        return run_and_restore if self._restores else run

    def leave(self) -> None:
        """Watch no more, and let what comes next have other numbers each time."""
        if self._watch is not None:
            self._watch.end()
        if not self._restores:
            for name, module in _loaded().items():
                _STATES[name].renew(module)

    def _seed_loaded(self, index: int) -> None:
        key = digest(self._seed, index)
        for name, module in _loaded().items():
            _STATES[name].seed(module, key)

    def _arrived(self, module: ModuleType) -> None:
        # Between two tasks of a generator the caller's own code runs.
        if self._running is not None:
            _STATES[module.__name__].seed(module, digest(self._seed, self._running))


def _loaded() -> dict[str, Any]:  # Any: the modules
    modules = {name: loaded(name) for name in _STATES}
    return {name: module for name, module in modules.items() if module is not None}
