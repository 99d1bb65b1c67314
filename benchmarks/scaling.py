"""What a task and a byte cost on each engine, and from which tasks on two workers are faster than one.

``python benchmarks/scaling.py`` shows it; with ``--markdown`` it prints the table of ``docs/scaling.md`` as
it stands there. Engines whose library is not installed are left out, and named. All engines take turns in
each round, and medians are shown, so that a busy machine makes all of them slower alike. A figure per byte
is the time of a call less that of one whose tasks get or return nothing large.
"""

import argparse
import bisect
import importlib.util
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
from harness import size, span

from lightwork import Parallel, delayed

ROUNDS = 5
MB = 1e6
ARRAY = 4 << 20  # bytes
PAUSE = 0.05
"""Seconds before each side: what the one before still does, such as freeing memory, is not its time."""

WORK = 0.4  # seconds of all tasks of a call that is to pay, for one worker

Make: TypeAlias = "Callable[..., Parallel]"
Found: TypeAlias = "Mapping[str, str]"
Side = TypeVar("Side")


class Engine(NamedTuple):
    """A column of the table."""

    library: str
    """What has to be installed; empty if nothing."""

    alone: int
    """Tasks of a call that sends each by itself: enough to be measured, few enough to be done soon."""

    first: str
    """A program whose last statement is the first call on it."""

    is_here: bool = False
    """Whether nothing is copied."""


ONE = "`n_jobs=1`"
_FIRST = "call(Parallel({}))"
ENGINES = {
    ONE: Engine("", 3000, _FIRST.format("1"), is_here=True),
    "threads": Engine("", 3000, _FIRST.format("2, 'threads'"), is_here=True),
    "processes": Engine("", 3000, _FIRST.format("2, 'processes'")),
    "`ProcessPoolExecutor`": Engine(
        "", 400, "with ProcessPoolExecutor(2) as pool: " + _FIRST.format("2, pool")
    ),
    "Dask": Engine("distributed", 200, _FIRST.format("2, 'dask'")),
    "Ray": Engine("ray", 200, _FIRST.format("2, 'ray'")),
}
PROGRAM = """
import time
from concurrent.futures import ProcessPoolExecutor
from lightwork import Parallel, delayed
def call(parallel):
    parallel(delayed(pow)(i, 2) for i in range(2))
    print(time.perf_counter() - begin)
if __name__ == "__main__":
    begin = time.perf_counter()
    {}
"""


def give(value: object) -> object:
    return value


def length(array: Any) -> int:
    return int(array.nbytes)


def block(nbytes: int) -> Any:
    return np.ones(nbytes // 8)


def spin(rounds: int) -> None:
    """Python code that holds the interpreter, as most does."""
    for _ in range(rounds):
        pass


def timed(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def medians(sides: Mapping[Side, Callable[[], float]], *, warm: int = 1) -> dict[Side, float]:
    """What each side says, which take turns: medians of the rounds after those to warm up."""
    found: dict[Side, list[float]] = {name: [] for name in sides}
    for number in range(warm + ROUNDS):
        for name, side in sides.items():
            time.sleep(PAUSE)
            value = side()
            if number >= warm:
                found[name].append(value)
    return {name: statistics.median(values) for name, values in found.items()}


def spans(found: Mapping[str, float]) -> Found:
    return {name: span(value) for name, value in found.items()}


class Engines:
    """Those that are there, ready for calls, until the stack is closed."""

    def __init__(self, stack: ExitStack) -> None:
        self.left_out = [name for name, engine in ENGINES.items() if not _is_there(engine.library)]
        pool = stack.enter_context(ProcessPoolExecutor(2))
        list(pool.map(abs, range(8)))  # forked while this process has no threads of anybody
        makes: dict[str, Make] = {
            ONE: partial(Parallel, 1),
            "threads": partial(Parallel, 2, "threads"),
            "processes": partial(Parallel, 2, "processes"),
            "`ProcessPoolExecutor`": partial(Parallel, 2, pool),
            "Dask": partial(Parallel, 2, "dask"),
            "Ray": partial(Parallel, 2, "ray"),
        }
        self.makes = {name: make for name, make in makes.items() if name not in self.left_out}

    def call(self, name: str, tasks: list[Any], **options: Any) -> float:
        parallel = self.makes[name](**options)
        return timed(lambda: parallel(tasks))

    def each(self, tasks: Callable[[str], list[Any]], per: float = 1, **options: Any) -> dict[str, float]:
        """The median seconds of a call on each engine, divided by `per`."""
        sides = {name: partial(self._one, tasks, options, name) for name in self.makes}
        return {name: seconds / per for name, seconds in medians(sides).items()}

    def _one(self, tasks: Callable[[str], list[Any]], options: dict[str, Any], name: str) -> float:
        return self.call(name, tasks(name), **options)

    def bytes(self, large: list[Any], small: list[Any]) -> Found:
        """Seconds per MB of what `large` tasks have beside `small` ones."""
        copying = [name for name in self.makes if not ENGINES[name].is_here]
        sides = {
            (name, tasks is large): partial(self.call, name, tasks, batch_size=1)
            for tasks in (large, small)
            for name in copying
        }
        found = medians(sides)
        nbytes = len(large) * ARRAY
        shown = {name: span((found[name, True] - found[name, False]) / (nbytes / MB)) for name in copying}
        return {name: shown.get(name, "nothing") for name in self.makes}


def _is_there(library: str) -> bool:
    return not library or importlib.util.find_spec(library) is not None


def first_call(name: str) -> float:
    """Seconds of the first call of a program, starting workers included."""
    program = PROGRAM.format(ENGINES[name].first)
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def costs(engines: Engines) -> Iterator[tuple[str, Found]]:
    """Per call, per task and per byte."""
    first = medians({name: partial(first_call, name) for name in engines.makes}, warm=0)
    yield "the first call of a program", spans(first)
    yield (
        "a call of two tasks, workers there already",
        spans(engines.each(lambda _: [delayed(give)(i) for i in range(2)])),
    )
    many = 20_000
    for title, argument in (("numbers", int), ("lists", lambda i: [i])):
        tasks = [delayed(give)(argument(i)) for i in range(many)]
        yield f"a task, in batches ({title})", spans(engines.each(lambda _, tasks=tasks: tasks, many))
    alone = [delayed(give)(i) for i in range(max(engine.alone for engine in ENGINES.values()))]
    found = engines.each(lambda name: alone[: ENGINES[name].alone], batch_size=1)
    yield "a task, by itself", spans({name: found[name] / ENGINES[name].alone for name in found})
    arrays = [np.full(ARRAY // 8, float(i)) for i in range(16)]
    tiny = np.ones(1)
    yield (
        "1 MB of an argument of its own",
        engines.bytes([delayed(length)(array) for array in arrays], [delayed(length)(tiny)] * 16),
    )
    yield (
        "1 MB of an array that 50 tasks get, per task",
        engines.bytes([delayed(length)(arrays[0])] * 50, [delayed(length)(tiny)] * 50),
    )
    yield "1 MB of a result", engines.bytes([delayed(block)(ARRAY)] * 16, [delayed(block)(8)] * 16)


def crossovers(engines: Engines) -> Iterator[tuple[str, Found]]:
    """The shortest tasks for which two workers take four fifths of the time of one, or less."""
    rate = 100_000 / timed(partial(spin, 100_000))  # rounds per second
    found = {name: _crossover(engines, name, rate) for name in engines.makes if name != ONE}
    yield f"Python code, {span(WORK)} of it: pays from tasks of", {ONE: "–", **found}


def _crossover(engines: Engines, name: str, rate: float) -> str:
    """Of lengths from 1 µs to 30 ms, each about three times the one before, by halving."""
    lengths = [1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2]
    at = bisect.bisect_left(lengths, True, key=lambda seconds: _pays(engines, name, seconds, rate))
    return span(lengths[at]) if at < len(lengths) else "never"


def _pays(engines: Engines, name: str, seconds: float, rate: float) -> bool:
    tasks = [delayed(spin)(int(seconds * rate))] * min(50_000, int(WORK / seconds))
    found = medians({side: partial(engines.call, side, tasks) for side in (ONE, name)}, warm=0)
    return found[name] <= 0.8 * found[ONE]


def main() -> None:
    parser = argparse.ArgumentParser(description="What a task and a byte cost on each engine.")
    parser.add_argument("--markdown", action="store_true", help="print the table of docs/scaling.md")
    markdown = parser.parse_args().markdown
    with ExitStack() as stack:
        engines = Engines(stack)
        columns = list(engines.makes)
        if markdown:
            print("| two workers on two cores | " + " | ".join(columns) + " |")
            print("|---|" + "--:|" * len(columns))
        for table in (costs, crossovers):
            for title, found in table(engines):
                if markdown:
                    print(f"| {title} | " + " | ".join(found[name] for name in columns) + " |", flush=True)
                else:
                    print(title, *(f"    {name}: {found[name]}" for name in columns), sep="\n", flush=True)
        if engines.left_out:
            missing = ", ".join(f"{name} ({ENGINES[name].library})" for name in engines.left_out)
            print(f"left out, since their library is not installed: {missing}", file=sys.stderr)
        if not markdown:
            print(f"(arrays of {size(ARRAY)}, two workers, medians of {ROUNDS} rounds)")


if __name__ == "__main__":
    main()
