import os
import signal
import threading
from collections.abc import Callable

import pytest

from lightwork.system.forks import ForkGuard, after_fork_in_child
from lightwork.system.threads import HelperThreads

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def _exit_code_of_child(action: Callable[[], bool]) -> int:
    """Fork, run `action` under an alarm, and return 0 if it was true, 1 if false, or minus the signal."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        os._exit(0 if action() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class _Owner:
    def __init__(self) -> None:
        self.forked = False
        after_fork_in_child(self.note)

    def note(self) -> None:
        self.forked = True


def test_actions_run_in_the_child_and_not_in_the_parent() -> None:
    """A registered owner learns of the fork where it has to act."""
    owner = _Owner()
    assert _exit_code_of_child(lambda: owner.forked) == 0
    assert not owner.forked


def test_collected_owners_are_forgotten() -> None:
    """An owner is held weakly: what is gone needs no care, and is not called."""
    guard, calls = ForkGuard(), []

    class Owner:
        def note(self) -> None:
            calls.append(self)

    gone, kept = Owner(), Owner()
    guard.add(gone.note)
    guard.add(kept.note)
    del gone
    guard.run()
    assert calls == [kept]


def test_helper_threads_work_in_a_forked_child() -> None:
    """An executor that the parent has used does not hang the child: it makes its own."""
    helpers = HelperThreads()
    helpers.limit(2)
    assert helpers.map(abs, [-1, -2]) == [1, 2]
    assert _exit_code_of_child(lambda: helpers.map(abs, [-3, -4]) == [3, 4]) == 0


def test_one_helper_works_in_the_callers_thread() -> None:
    """With a single thread allowed none is started."""
    helpers = HelperThreads()
    helpers.limit(1)
    assert helpers.map(lambda _: threading.get_ident(), [0]) == [threading.get_ident()]
