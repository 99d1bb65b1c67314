"""What `Parallel.report` returns: the times of a call, its slowest tasks, and a sentence of advice."""

import os
from typing import TYPE_CHECKING, NamedTuple

from .. import parallel
from ..system.cpu import cpu_count
from ..system.units import counted, duration, size
from .advice import Facts, advise
from .sheet import Account, Sheet
from .stretches import Run

if TYPE_CHECKING:
    from .gauge import MemoryCourse

__all__ = ["Phases", "Report", "SlowCall", "WorkerTimes", "make_report"]

_BAR = 40  # characters
_LISTED = 8  # workers and indices that are printed; the fields have all
_HERE = "in the caller's thread"
_ORDER = ("run", "transfer", "queue", "pickling", "input", "idle")


class Phases(NamedTuple):
    """Where the time of the workers went, in seconds. They add up to ``wall * n_jobs``."""

    pickling: float
    """A worker had nothing to do while the parent pickled and sent tasks."""

    input: float
    """A worker had nothing to do while the parent read the input."""

    queue: float
    """Tasks were on their way to a worker that had no others; the start of a new worker is part of it."""

    run: float
    """Tasks ran, arguments were unpickled, results pickled."""

    transfer: float
    """Results were on their way or waited until the parent looked; tasks came after others had ended."""

    idle: float
    """A worker had nothing to do for any other reason."""


class WorkerTimes(NamedTuple):
    """What one worker did."""

    tasks: int
    """Attempts at tasks, each of them counted."""

    busy: float
    """Seconds in which it ran tasks."""

    share: float
    """The same as a part of the time of the call, 0 to 1."""

    runs: tuple[Run, ...] = ()
    """What it ran when, in at most 1,000 pieces: batches, or several joined."""


class SlowCall(NamedTuple):
    """One of the tasks that took longest: the longest of the attempts at it."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    """Place of the task in the input, from 0."""

    call: str
    """The call in a few words; without its arguments if it took less than a millisecond."""

    seconds: float
    error: str = ""
    """Name of the class of what the attempt ended with, such as ``"TaskTimeout"``; empty if it ended well."""


class Report(NamedTuple):
    """One call of a `Parallel`. ``print(report)`` tells it, Jupyter draws it, and `save` writes a page."""

    wall: float
    """Seconds from the call to its end, or until now."""

    n_jobs: int
    """Workers of the call."""

    backend: str
    """``"sequential"`` also where one worker of another backend was the caller's thread."""

    tasks: int
    """How many have ended, each once: those that failed, and those whose results were known, included."""

    phases: Phases
    workers: tuple[WorkerTimes, ...]
    slowest: tuple[SlowCall, ...]
    """At most five, the slowest first. With one worker, tasks below 0.2 ms are timed many together."""

    failed: tuple[int, ...]
    """Indices of tasks that failed for good, in order."""

    skipped: tuple[int, ...]
    """Those of them that were left out of the results."""

    advice: str
    """What to do next, in one sentence."""

    memory: "tuple[MemoryCourse, ...]" = ()
    """Of the calling process and of workers that are processes; empty if the call was shorter than 0.05 s."""

    known: int = 0
    """Of the tasks, those whose results were found in a cache or in the checkpoint: they did not run."""

    attempts: int = 0
    """How often tasks were begun, as far as they have ended: with retries more often than there are tasks."""

    def __str__(self) -> str:
        lines = [self.title]
        lines += [_line(name, seconds, part) for name, seconds, part in self.parts()]
        if self.n_jobs > 1:
            what = "attempt" if self.was_retried else "task"
            listed = self.workers[:_LISTED]
            lines += [f"  worker {n}: {_worker(worker, what)}" for n, worker in enumerate(listed)]
            if self.n_jobs > _LISTED:
                lines.append(f"  ... and {self.n_jobs - _LISTED} more")
        if peaks := [f"{course.name} {size(course.peak)}" for course in self.memory[: _LISTED + 1]]:
            lines.append(f"  most memory seen: {', '.join(peaks)}")
        lines += [
            f"  slow: task {slow.index}, {duration(slow.seconds)}{_ended(slow)}: {slow.call}"
            for slow in self.slowest
        ]
        lines += [f"  {text}" for text in self.losses()]
        return "\n".join([*lines, self.advice])

    def __repr__(self) -> str:
        return f"<Report: {self.title}; print it, or .save('report.html')>"

    def _repr_html_(self) -> str:
        return parallel.picture.fragment_of(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one HTML file that needs nothing else: a timeline to zoom in, memory, the slowest calls.

        Parameters
        ----------
        path
            Its name, which ends in ``.html``. An older file gives way when the new one is whole.

        Raises
        ------
        InvalidOption
            The name does not end in ``.html`` or ``.htm``, or its folder is not there.
        OSError
            As from `open` and `write`.
        """
        parallel.picture.save_page(path, self)

    @property
    def title(self) -> str:
        """The call in a few words."""
        workers = counted(self.n_jobs, "worker")
        place = _HERE if self.backend == "sequential" else f"{workers} ({self.backend})"
        known = f" ({self.known:,} from cache or checkpoint)" if self.known else ""
        return f"{counted(self.tasks, 'task')}{known} in {duration(self.wall)}, {place}"

    @property
    def was_retried(self) -> bool:
        """Whether tasks were begun more often than there are, so that attempts are not tasks."""
        return self.attempts > self.tasks - self.known

    def parts(self) -> list[tuple[str, float, float]]:
        """Name, seconds and part (0 to 1) of each phase."""
        seconds, total = self.phases._asdict(), sum(self.phases)
        return [(name, seconds[name], seconds[name] / total if total else 0.0) for name in _ORDER]

    def losses(self) -> list[str]:
        """Failed tasks and further attempts in words, if there are any."""
        lines = list[str]()
        if self.was_retried:
            lines.append(f"attempts: {self.attempts:,}, at {counted(self.tasks - self.known, 'task')}")
        if self.failed:
            listed = ", ".join(map(str, self.failed[:_LISTED])) + ", ..." * (len(self.failed) > _LISTED)
            what = "failed and skipped" if self.skipped else "failed"
            lines.append(f"{what}: {len(self.failed)} (task{'s' * (len(self.failed) > 1)} {listed})")
        return lines


def make_report(sheet: Sheet, *, backend: str, skips: bool, waits_for_reader: bool) -> Report:
    """The report of a call that has ended, or of one that goes on, as if it ended now."""
    wall, accounts = sheet.settled()
    phases = Phases(*(_sum(accounts, name) for name in Phases._fields))
    attempts = sum(account.tasks for account in accounts)
    tasks = attempts - sheet.spoilt + len(sheet.failed) + sheet.known
    slowest = tuple(SlowCall(index, text, seconds, error) for seconds, index, text, error in sheet.slowest())
    facts = Facts(
        wall=wall,
        workers=len(accounts),
        attempts=attempts,
        known=sheet.known,
        total=sheet.total,
        late=tuple(sheet.late),
        **phases._asdict(),
        tail=_sum(accounts, "tail"),
        longest=slowest[0].seconds if slowest else 0.0,
        nbytes=sheet.weight // sheet.weighed if sheet.weighed else 0,
        waits_for_reader=waits_for_reader,
        cores=cpu_count(),
    )
    failed = tuple(sorted(sheet.failed))
    return Report(
        wall=wall,
        n_jobs=len(accounts),
        backend=backend,
        tasks=tasks,
        phases=phases,
        workers=tuple(_times(account, wall, sheet.began) for account in accounts),
        slowest=slowest,
        failed=failed,
        skipped=failed if skips else (),
        advice=advise(facts),
        memory=sheet.courses(),
        known=sheet.known,
        attempts=attempts,
    )


def _sum(accounts: list[Account], name: str) -> float:
    seconds: float = sum(getattr(account, name) for account in accounts)
    return seconds


def _times(account: Account, wall: float, began: float) -> WorkerTimes:
    return WorkerTimes(account.tasks, account.run, account.run / wall if wall else 0.0, account.runs(began))


def _line(name: str, seconds: float, part: float) -> str:
    return f"  {name:<9}{100 * part:4.0f} % {duration(seconds):>9}  {'█' * round(part * _BAR)}".rstrip()


def _worker(worker: WorkerTimes, what: str) -> str:
    return f"{counted(worker.tasks, what)}, busy {duration(worker.busy)} ({100 * worker.share:.0f} %)"


def _ended(slow: SlowCall) -> str:
    return f", {slow.error}" if slow.error else ""
