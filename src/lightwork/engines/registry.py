"""Which engine a name means. Each is made when it is first asked for, one per process."""

import threading
from collections.abc import Callable

from ..errors import InvalidOption
from ..protocols import Engine
from ..system.forks import after_fork_in_child

__all__ = ["ENGINES", "Engines", "engine"]


# An engine is imported when it is first used: the process pool alone needs a third of the import budget.
def _processes() -> Engine:
    from .processes import ProcessEngine

    return ProcessEngine()


def _sequential() -> Engine:
    from .sequential import SequentialEngine

    return SequentialEngine()


def _threads() -> Engine:
    from .threads import ThreadEngine

    return ThreadEngine()


_MAKERS: dict[str, Callable[[], Engine]] = {
    "processes": _processes,
    "sequential": _sequential,
    "threads": _threads,
}

# joblib's names for the same things.
_ALIASES = {"loky": "processes", "multiprocessing": "processes", "threading": "threads"}


class Engines:
    """The engines of this process by name. Safe to use from several threads.

    A forked child starts with none: the workers of its parent are not its own. The parent's engines are kept
    there unused, since closing what they hold is for their own fork actions to decide.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[str, Engine] = {}
        self._parked: list[dict[str, Engine]] = []
        after_fork_in_child(self._forget)

    def get(self, name: str) -> Engine:
        """The engine of that name, made now if need be.

        Raises
        ------
        InvalidOption
            There is none; the message lists the names.
        """
        name = _ALIASES.get(name, name)
        if name not in _MAKERS:
            names = ", ".join(sorted({*_MAKERS, *_ALIASES, "auto"}))
            raise InvalidOption(f"backend={name!r} is not known: give one of {names}, or an Engine")
        with self._lock:
            if name not in self._made:
                self._made[name] = _MAKERS[name]()
            return self._made[name]

    def shutdown(self) -> None:
        """Shut down what was made so far. Engines may be used again afterwards."""
        with self._lock:
            made = list(self._made.values())
        for each in made:
            each.shutdown()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._parked.append(self._made)
        self._made = {}


ENGINES = Engines()


def engine(name: str) -> Engine:
    """The engine that a name means: ``"processes"``, ``"threads"``, ``"sequential"``, or one of joblib's."""
    return ENGINES.get(name)
