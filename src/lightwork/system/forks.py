"""The only fork handlers of lightwork.

A forked child must not use what its parent left open: a thread pool has no threads there, an SQLite
connection would share the parent's locks, a worker's socket would keep a dead parent's pool alive. Whoever
owns such a thing registers here what the child has to do. Owners are held weakly: what was collected
before the fork needs no care.
"""

import os
import weakref
from collections.abc import Callable

__all__ = ["ForkGuard", "after_fork_in_child"]


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


_GUARD = ForkGuard()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_GUARD.run)


def after_fork_in_child(action: Callable[[], None]) -> None:
    """Run a bound method in every child that is forked from now on, as long as its object lives.

    Parameters
    ----------
    action
        A bound method without arguments. Held weakly. It must not block or take a lock that another
        thread of the parent may have held; raw descriptors are closed with `os.close`.
    """
    _GUARD.add(action)
