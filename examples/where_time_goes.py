"""What a parallel call does: a progress function, a report with advice, and a trace for Perfetto."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

from lightwork import Parallel, delayed


def simulate(steps: int) -> int:
    return sum(i * i for i in range(steps))


def slowly(count: int) -> Iterator[int]:
    """Input that takes longer to make than to work on."""
    for number in range(count):
        time.sleep(0.005)
        yield 1000 * number


def main() -> None:
    seen: list[int] = []
    parallel = Parallel(n_jobs=2, progress=lambda done, total, failed: seen.append(done), trace="run.json")
    parallel(delayed(simulate)(steps) for steps in slowly(40))

    report = parallel.report()
    print(report)
    assert report.tasks == 40
    assert seen == list(range(1, 41))
    slices = [
        event for event in json.loads(Path("run.json").read_text())["traceEvents"] if event["ph"] == "X"
    ]
    print(f"run.json holds {len(slices)} slices: open it at ui.perfetto.dev")


if __name__ == "__main__":
    main()
