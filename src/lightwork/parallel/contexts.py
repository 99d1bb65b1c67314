"""`register_context`: what else tasks should find as it is where the call is made."""

from collections.abc import Callable
from typing import Any, TypeAlias

from ..errors import InvalidOption

__all__ = ["CONTEXTS", "Contexts", "Getter", "Setter", "register_context"]

Getter: TypeAlias = Callable[[], Any]  # Any: the user's value
Setter: TypeAlias = Callable[[Any], object]


class Contexts:
    """The getters and setters of this process, by name. Adding is atomic."""

    __slots__ = ("_pairs",)

    def __init__(self) -> None:
        self._pairs: dict[str, tuple[Getter, Setter]] = {}

    def add(self, name: str, getter: Getter, setter: Setter) -> None:
        """Register a pair, in the place of one of the same name."""
        self._pairs[name] = getter, setter

    def all(self) -> list[tuple[str, Getter, Setter]]:
        """What is registered, in the order in which the names came."""
        return [(name, *pair) for name, pair in list(self._pairs.items())]


CONTEXTS = Contexts()


def register_context(name: str, getter: Getter, setter: Setter) -> None:
    """Let the tasks of all later `Parallel` calls run in a state of yours, such as a library's configuration.

    Each call asks ``getter()`` for the state, in the thread that makes the call, and does ``setter(state)``
    in each worker before its first task: in processes, which have their own configuration, and in threads,
    for what is kept per thread. Every call sets it anew, so nothing is put back. With ``n_jobs=1`` the tasks
    run in the caller's own thread and nothing is called. Calls that tasks make pass the state on.

    Parameters
    ----------
    name
        What error messages call it. A second registration of the same name takes the place of the first.
    getter
        Returns the state, which travels by pickle.
    setter
        Takes it in. What it returns is ignored.

    Raises
    ------
    InvalidOption
        `name` is no text, or a function is none.

    Notes
    -----
    Getter and setter travel to the workers, and whatever they need is imported there before the first task.
    If the setter fails, so does each task. What cannot be pickled is an `UnpicklableError` of the call.

    Examples
    --------
    scikit-learn keeps its configuration per thread::

        def set_config(config):
            sklearn.set_config(**config)

        register_context("sklearn", sklearn.get_config, set_config)
    """
    if not isinstance(name, str):
        raise InvalidOption(f"register_context: name={name!r} is no text")
    for role, function in (("getter", getter), ("setter", setter)):
        if not callable(function):
            raise InvalidOption(f"register_context({name!r}): {role}={function!r} cannot be called")
    CONTEXTS.add(name, getter, setter)
