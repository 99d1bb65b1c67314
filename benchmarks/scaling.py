"""What a task and a byte cost on each engine, and from which tasks on two workers are faster than one.

``python benchmarks/scaling.py`` prints the table of ``docs/scaling.md``. All engines take turns in each
round, and medians are shown, so that a busy machine makes all of them slower alike.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from harness import size, span

from lightwork import Parallel, delayed, share

ROUNDS = 7
ENGINES: dict[str, Callable[..., Parallel]] = {
    "here": partial(Parallel, 1),
    "threads": partial(Parallel, 2, "threads"),
    "processes": partial(Parallel, 2, "processes"),
}


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


def release(seconds: float) -> None:
    """Code that lets go of the interpreter, as numpy and downloads do: here it sleeps."""
    time.sleep(seconds)


def timed(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def medians(sides: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Seconds of each side, which take turns."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for side in sides.values():
        side()
    for _ in range(ROUNDS):
        for name, side in sides.items():
            found[name].append(timed(side))
    return {name: statistics.median(times) for name, times in found.items()}


def row(title: str, found: dict[str, float], per: float, show: Callable[[float], str] = span) -> None:
    print(f"| {title} | " + " | ".join(show(found[name] / per) for name in found) + " |", flush=True)


def on_each(tasks: Callable[[], list[Any]], **options: Any) -> dict[str, Callable[[], object]]:
    return {name: partial(_run, make, tasks, options) for name, make in ENGINES.items()}


def _run(make: Callable[..., Parallel], tasks: Callable[[], list[Any]], options: dict[str, Any]) -> object:
    return make(**options)(tasks())


def costs() -> None:
    """Per call, per task and per byte."""
    print("| | " + " | ".join(ENGINES) + " |\n|---|" + "---|" * len(ENGINES))
    row("a warm call of two tasks", medians(on_each(lambda: [delayed(give)(i) for i in range(2)])), 1)
    many = 20_000
    row("a task, in batches", medians(on_each(lambda: [delayed(give)(i) for i in range(many)])), many)
    some = 3_000
    one = medians(on_each(lambda: [delayed(give)(i) for i in range(some)], batch_size=1))
    row("a task, by itself", one, some)
    arrays = [np.full(1 << 17, float(i)) for i in range(40)]
    own = medians(on_each(lambda: [delayed(length)(array) for array in arrays]))
    row("1 MB of an argument of its own", own, 40 * 1.048576)
    shared = np.ones(1 << 17)
    row(
        "1 MB that all tasks share", medians(on_each(lambda: [delayed(length)(shared)] * 200)), 200 * 1.048576
    )
    with share(list(range(30_000))) as handle:
        objects = medians(on_each(lambda: [delayed(len)(handle)] * 200))
    row("1 MB of objects, shared with `share`", objects, 200)
    results = medians(on_each(lambda: [delayed(block)(1 << 20)] * 40))
    row("1 MB of a result", results, 40 * 1.048576)


def crossovers() -> None:
    """The shortest tasks for which two workers take four fifths of the time of one, or less."""
    rate = 100_000 / timed(partial(spin, 100_000))  # rounds per second
    kinds: dict[str, Callable[[float], Any]] = {
        "holds the interpreter": lambda seconds: delayed(spin)(int(seconds * rate)),
        "lets go of it": delayed(release),
    }
    for title, make in kinds.items():
        for name in ("threads", "processes"):
            print(f"{name}, a task that {title}: from {_crossover(name, make)} on", flush=True)


def _crossover(name: str, make: Callable[[float], Any]) -> str:
    seconds = 1e-6
    while seconds < 0.1:
        count = max(20, min(20_000, int(0.1 / seconds)))
        tasks = [make(seconds)] * count
        sides: dict[str, Callable[[], object]] = {
            "here": partial(ENGINES["here"](), tasks),
            name: partial(ENGINES[name](), tasks),
        }
        found = medians(sides)
        if found[name] <= 0.8 * found["here"]:
            return span(seconds)
        seconds *= 10**0.5
    return "never"


if __name__ == "__main__":
    costs()
    crossovers()
    print(f"(arrays of {size(1 << 20)}, two workers, medians of {ROUNDS} rounds)")
