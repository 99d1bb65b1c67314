"""A sweep that survives a crash: the results of finished tasks are kept, the next run computes the rest.

The first run is ended in the middle, on purpose.
"""

import shutil
from itertools import product
from pathlib import Path

from lightwork import Failure, Parallel, delayed

COMPUTED = Path("computed.log")
MENDED = Path("mended")


def settle(rate: float, start: float) -> float:
    """Where the logistic map is after many steps; it writes down that it ran."""
    with COMPUTED.open("a") as log:
        log.write(f"{rate} {start}\n")
    if rate == 3.9 and not MENDED.exists():
        raise ArithmeticError("this rate is not handled yet")
    value = start
    for _ in range(10_000):
        value = rate * value * (1 - value)
    return round(value, 6)


def sweep() -> list[float | Failure[float]]:
    tasks = (delayed(settle)(rate, start) for rate, start in product([2.8, 3.2, 3.5, 3.9], [0.1, 0.2, 0.3]))
    return Parallel(n_jobs=2, checkpoint="sweep", on_error="return")(tasks)


def main() -> None:
    shutil.rmtree("sweep", ignore_errors=True)  # as if it had never run
    for leftover in (COMPUTED, MENDED):
        leftover.unlink(missing_ok=True)

    failed = [result for result in sweep() if isinstance(result, Failure)]
    print(f"first run: {len(failed)} of 12 failed, such as task {failed[0].index}: {failed[0].error!r}")
    ran = len(COMPUTED.read_text().splitlines())

    MENDED.touch()  # somebody mends the bug; the function stays the same
    results = sweep()
    again = len(COMPUTED.read_text().splitlines()) - ran
    print(f"second run: {again} of 12 were computed, the others were kept: {results[:3]}")
    assert again == len(failed)


if __name__ == "__main__":
    main()
