"""A stream without an end: results are used as they come, and the first good one ends the search."""

from collections.abc import Iterator
from itertools import count

from lightwork import Parallel, delayed


def collatz(start: int) -> tuple[int, int]:
    """How many steps the Collatz sequence takes from `start` to 1."""
    steps, value = 0, start
    while value != 1:
        value = value // 2 if value % 2 == 0 else 3 * value + 1
        steps += 1
    return start, steps


def numbers() -> Iterator[int]:
    """Without an end: only what the reader can keep up with is taken from it."""
    yield from count(1)


def main() -> None:
    results = Parallel(n_jobs=2, return_as="generator")(delayed(collatz)(n) for n in numbers())
    for start, steps in results:
        if steps > 250:
            print(f"{start} is the first number that takes more than 250 steps: {steps}")
            break
    results.close()  # tasks that still run are given up
    assert (start, steps) == (6171, 261)


if __name__ == "__main__":
    main()
