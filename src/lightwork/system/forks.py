"""The only fork handlers of lightwork.

A forked child must not use what its parent left open: a thread pool has no threads there, an SQLite
connection would share the parent's locks, a worker's socket would keep a dead parent's pool alive. Whoever
owns such a thing registers here what the child has to do. Owners are held weakly: what was collected
before the fork needs no care.
"""

import os
import weakref
from collections.abc import Callable
from typing import TypeAlias

__all__ = ["ForkGuard", "after_fork_in_child", "around_forks"]


class ForkGuard:
    """The actions to be run in a forked child, in the order of registration.

    Actions run in the only thread of the child, before `os.fork` returns there. They must not block, not
    lock, and close raw descriptors with `os.close` only.
    """

    def __init__(self) -> None:
        self._actions: list[weakref.ref[object] | weakref.WeakMethod[Callable[[], None]]] = []

    def add(self, action: Callable[[], None]) -> None:
        """Run the bound method `action` in each forked child, as long as its object lives."""
        self._actions.append(weakref.WeakMethod(action))

    def run(self) -> None:
        """Run all actions and forget those whose owners are gone."""
        alive = []
        for reference in self._actions:
            action = reference()
            if callable(action):
                alive.append(reference)
                action()
        self._actions[:] = alive


_Method: TypeAlias = "weakref.WeakMethod[Callable[[], None]]"


class ForkPauses:
    """Owners that must be at rest while the process forks, in the order of registration."""

    def __init__(self) -> None:
        self._pairs: list[tuple[_Method, _Method]] = []
        self._resting: list[Callable[[], None]] = []

    def add(self, rest: Callable[[], None], resume: Callable[[], None]) -> None:
        """Call bound methods `rest` before and `resume` after each fork, as long as their object lives."""
        self._pairs.append((weakref.WeakMethod(rest), weakref.WeakMethod(resume)))

    def rest(self) -> None:
        """Bring all owners to rest; forget those that are gone."""
        resting = []
        for pair in list(self._pairs):  # other threads may add to it while `rest` waits
            rest, resume = pair[0](), pair[1]()
            if rest is None or resume is None:
                self._pairs.remove(pair)
            else:
                rest()
                resting.append(resume)
        self._resting = resting

    def resume(self) -> None:
        """Let all owners go on that were brought to rest."""
        resting, self._resting = self._resting, []
        for resume in reversed(resting):
            resume()


_GUARD = ForkGuard()
_PAUSES = ForkPauses()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_GUARD.run)
    os.register_at_fork(before=_PAUSES.rest, after_in_parent=_PAUSES.resume, after_in_child=_PAUSES.resume)


def after_fork_in_child(action: Callable[[], None]) -> None:
    """Run a bound method in every child that is forked from now on, as long as its object lives.

    Parameters
    ----------
    action
        A bound method without arguments. Held weakly. It must not block or take a lock that another
        thread of the parent may have held; raw descriptors are closed with `os.close`.
    """
    _GUARD.add(action)


def around_forks(rest: Callable[[], None], resume: Callable[[], None]) -> None:
    """Call bound methods before and after every fork from now on, as long as their object lives.

    Parameters
    ----------
    rest
        Runs before the fork, in the thread that forks. It may wait for other threads to leave a critical
        section, if those can never wait for a fork.
    resume
        Runs after it, in the parent (also when the fork failed) and in the child.
    """
    _PAUSES.add(rest, resume)
