"""The sequential engine beyond the common exam."""

import threading

from lightwork.engines.sequential import SequentialEngine
from lightwork.protocols import Batch, Done, SessionRequest
from lightwork.testing.engines import PlainRunner


def test_each_wait_runs_one_task_in_the_waiting_thread() -> None:
    """Nothing runs before `wait`, and then one task at a time, here."""
    session = SequentialEngine().open(SessionRequest(1, PlainRunner(), None, {}))
    ran: list[str] = []
    session.send(0, Batch(0, [(lambda: ran.append(threading.current_thread().name), (), {})] * 2))
    assert ran == []
    assert [type(event) for event in session.wait(None)] == [Done]
    assert ran == [threading.current_thread().name]
    session.close(abort=False)


def test_there_is_one_worker_whatever_is_asked() -> None:
    """``effective_n_jobs`` is 1."""
    assert [SequentialEngine().effective_n_jobs(n) for n in (1, 8, -1)] == [1, 1, 1]
