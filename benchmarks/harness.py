"""Measuring: both sides in one run, interleaved, medians of at least five, ratios first.

Machines are shared and noisy, so an absolute time says little. Each round runs every side once, in turn;
a slow minute then hits all of them, and the ratio of their medians stays.
"""

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

ROUNDS = 7
OURS = "lightwork"
INCUMBENT = "joblib"

Medians: TypeAlias = "Mapping[str, float]"
Cases: TypeAlias = "Callable[[Path], Iterator[Case]]"


def span(seconds: float) -> str:
    """A time in the unit that people would choose."""
    for limit, factor, unit in ((1e-6, 1e9, "ns"), (1e-3, 1e6, "µs"), (1.0, 1e3, "ms")):
        if seconds < limit:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"


def size(nbytes: float) -> str:
    """A number of bytes in the unit that people would choose."""
    for limit, factor, unit in ((1e3, 1, "B"), (1e6, 1e-3, "KB"), (1e9, 1e-6, "MB")):
        if nbytes < limit:
            return f"{nbytes * factor:.3g} {unit}"
    return f"{nbytes * 1e-9:.3g} GB"


def whole(count: float) -> str:
    """A number of things."""
    return f"{count:,.0f}"


@dataclass(frozen=True)
class Side:
    """One way to do the work.

    `run` is timed as a whole, unless it returns a float: then it has timed itself (seconds), which is what
    a side does that needs a fresh process. `setup` runs before each round, untimed.
    """

    run: Callable[[], object]
    setup: Callable[[], object] | None = None


@dataclass(frozen=True)
class Case:
    """One row of the table: the same work, done by several sides.

    Attributes
    ----------
    work
        What is done, in a few words.
    sides
        By name; ``None`` for a peer that is not installed. Names that begin with ``"yardstick: "`` are what
        the machine itself allows.
    per
        Operations in one `run`; times are shown per operation.
    show
        A figure as text; they are seconds unless said otherwise.
    target, met
        The aim in words, and the test of the medians (seconds per operation, by side). ``None``: no aim.
    """

    work: str
    sides: Mapping[str, Side | None]
    per: int = 1
    target: str = ""
    met: Callable[[Medians], bool] | None = None
    note: str = ""
    rounds: int = ROUNDS
    show: Callable[[float], str] = span


@dataclass(frozen=True)
class Row:
    """What came out of a case. Picklable: each theme runs in a process of its own."""

    theme: str
    work: str
    sides: tuple[str, ...]
    medians: Mapping[str, float]
    """Seconds (or whatever `show` shows) per operation, of the sides that could run."""

    show: Callable[[float], str]
    target: str
    verdict: str
    """Whether the target was met; empty without one."""

    note: str

    @property
    def ratio(self) -> float | None:
        """How many times faster than joblib."""
        if OURS in self.medians and INCUMBENT in self.medians:
            return self.medians[INCUMBENT] / self.medians[OURS]
        return None


def measure(theme: str, case: Case) -> Row:
    """Run all sides of a case in turn, `rounds` times and once before to warm up; keep the medians."""
    sides = {name: side for name, side in case.sides.items() if side is not None}
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(case.rounds + 1):
        for name, side in sides.items():
            seconds = _once(side) / case.per
            if number:
                times[name].append(seconds)
    medians = {name: statistics.median(values) for name, values in times.items()}
    return Row(
        theme=theme,
        work=case.work,
        sides=tuple(case.sides),
        medians=medians,
        show=case.show,
        target=case.target,
        verdict=_verdict(case, medians),
        note=case.note,
    )


def _verdict(case: Case, medians: Medians) -> str:
    if case.met is None or OURS not in medians:
        return ""
    return "met" if case.met(medians) else "short"


def _once(side: Side) -> float:
    if side.setup is not None:
        side.setup()
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        own = side.run()
        elapsed = time.perf_counter() - start
    finally:
        gc.enable()
    return own if isinstance(own, float) else elapsed
