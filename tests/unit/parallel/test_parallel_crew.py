"""What the crew makes of events that a real engine brings in this order only now and then."""

import threading
from collections.abc import Sequence

import pytest

from lightwork.errors import WorkerDied
from lightwork.parallel.crew import Crew
from lightwork.protocols import Batch, Done, Event, Lost, Returned, SessionRequest, Tell
from lightwork.protocols.engines import Run


class _Runner:
    def start(self, tell: Tell) -> Run:
        raise NotImplementedError("nothing runs here")

    def stop(self) -> None:
        raise NotImplementedError("nothing runs here")


class _SlowToBegin:
    """An engine of two workers and its session: none begins a call before the crew has nothing else to do,
    and the second is the first to begin.
    """

    name = "slow to begin"
    shares_memory = True

    def __init__(self) -> None:
        self.may_begin = threading.Event()
        self._wake = threading.Event()
        self._returned: list[Event] = []
        self._held: dict[int, list[Batch]] = {0: [], 1: []}

    def effective_n_jobs(self, n_jobs: int) -> int:
        return n_jobs

    def open(self, request: SessionRequest) -> "_SlowToBegin":
        return self

    def shutdown(self) -> None:
        pass

    def send(self, slot: int, batch: Batch) -> None:
        self._held[slot].append(batch)

    def take_back(self, slot: int) -> None:
        held, self._held[slot] = self._held[slot], []
        self._returned += [Returned(slot, start, start + 1) for start, _ in reversed(held)]

    def wait(self, timeout: float | None) -> Sequence[Event]:
        if (not self._returned and not any(self._held.values())) or not self.may_begin.is_set():
            self._wake.wait(timeout)
            self._wake.clear()
            return []
        if self._returned:
            events, self._returned = self._returned, []
            return events
        slot = 1 if self._held[1] else 0
        held, self._held[slot] = self._held[slot], []
        return [Done(slot, start, ["done"], 0.0) for start, _ in held]

    def wake(self) -> None:
        self._wake.set()

    def close(self, *, abort: bool) -> None:
        pass


class _Deadly:
    """An engine of one worker and its session: so many workers are lost before they have run anything."""

    name = "deadly"
    shares_memory = False

    def __init__(self, losses: int) -> None:
        self._losses = losses
        self._wake = threading.Event()
        self._sent: list[int] = []

    def effective_n_jobs(self, n_jobs: int) -> int:
        return n_jobs

    def open(self, request: SessionRequest) -> "_Deadly":
        return self

    def shutdown(self) -> None:
        pass

    def send(self, slot: int, batch: Batch) -> None:
        self._sent.append(batch.start)

    def take_back(self, slot: int) -> None:
        raise AssertionError("there is one worker")

    def wait(self, timeout: float | None) -> Sequence[Event]:
        if not self._sent:
            self._wake.wait(timeout)
            self._wake.clear()
            return []
        sent, self._sent = self._sent, []
        if self._losses:
            self._losses -= 1
            return [Lost(0, None, WorkerDied("gone", pid=1))]
        return [Done(0, index, [index], 0.0) for index in sent]

    def wake(self) -> None:
        self._wake.set()

    def close(self, *, abort: bool) -> None:
        pass


@pytest.mark.timeout(20)
@pytest.mark.parametrize("losses", [1, 2, 3])
def test_a_call_that_was_not_seen_to_run_is_sent_three_times(losses: int) -> None:
    """A worker may die for any reason before it has begun; a call that three of them die with is to blame."""
    request = SessionRequest(n_jobs=1, runner=_Runner(), inner_threads=None, options={})
    crew = Crew(_Deadly(losses), request, explain=lambda error: error)
    job = crew.submit((abs, (1,), {}))
    if losses < 3:
        assert job.result(timeout=10) == 0
    else:
        assert isinstance(job.exception(timeout=10), WorkerDied)
    assert crew.submit((abs, (1,), {})).result(timeout=10) == 1
    crew.dismiss(abort=False)


@pytest.mark.timeout(20)
def test_a_worker_that_gave_back_all_that_it_had_gets_work_again() -> None:
    request = SessionRequest(n_jobs=2, runner=_Runner(), inner_threads=None, options={})
    engine = _SlowToBegin()
    crew = Crew(engine, request, explain=lambda error: error)
    jobs = [crew.submit((abs, (number,), {})) for number in range(4)]
    engine.may_begin.set()
    engine.wake()
    assert [job.result(timeout=10) for job in jobs] == ["done"] * 4
    crew.dismiss(abort=False)
