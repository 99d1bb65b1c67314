"""The workers between calls."""

import threading
from collections.abc import Mapping

from ...system.forks import after_fork_in_child
from .worker import Worker

__all__ = ["Crew"]


class Crew:
    """Workers that have nothing to do, kept for calls to come: as many as there were calls for at once.

    Safe to use from several threads, and in a forked child, which begins with none.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._all: set[Worker] = set()
        self._parked: list[set[Worker]] = []  # a parent's
        after_fork_in_child(self._forget)

    def take(self, births: Mapping[str, str], patience: float) -> Worker:
        """A worker with such variables, in the place of one with others. Raises `EngineError`.

        Whoever has nothing to do for `patience` seconds leaves.
        """
        with self._lock:
            self._idle = [worker for worker in self._idle if worker.is_alive]
            self._all = {worker for worker in self._all if worker.is_alive}
            for worker in self._idle:
                if worker.births == births:
                    self._idle.remove(worker)
                    worker.patience = patience
                    return worker
            if self._idle:
                self._idle.pop(0).kill()
            worker = Worker(births, patience, self._dismiss)
            self._all.add(worker)
            return worker

    def give_back(self, worker: Worker) -> None:
        """A worker has nothing to do any more, or has ended."""
        with self._lock:
            if worker.is_alive and worker in self._all:
                self._idle.append(worker)

    def _dismiss(self, worker: Worker) -> bool:
        """Whether a worker may leave, which nobody gets from now on."""
        with self._lock:
            if worker not in self._idle:
                return False
            self._idle.remove(worker)
            return True

    def end_idle(self) -> None:
        """End the workers that have nothing to do, and wait for that."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._all.difference_update(idle)
        _end(idle)

    def end(self) -> None:
        """End all."""
        with self._lock:
            workers, self._all, self._idle = list(self._all), set(), []
        _end(workers)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        for worker in self._all:
            worker.abandon()
        self._parked.append(self._all)
        self._idle, self._all = [], set()


def _end(workers: list[Worker]) -> None:
    for worker in workers:
        worker.kill()
    for worker in workers:
        worker.join()
