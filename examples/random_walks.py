"""The same random numbers whatever the number of workers: each task has a generator of its own."""

import numpy as np

from lightwork import Parallel, delayed, task_rng


def walk(steps: int) -> float:
    """Where a random walk ends."""
    return float(task_rng().normal(size=steps).sum())


def main() -> None:
    ends = {}
    for workers in (1, 2):
        ends[workers] = Parallel(n_jobs=workers, seed=2024)(delayed(walk)(10_000) for _ in range(50))
    print(f"mean {np.mean(ends[1]):.2f}, spread {np.std(ends[1]):.1f} (about 100 is expected)")
    assert ends[1] == ends[2]
    print("one worker and two gave the same 50 walks")


if __name__ == "__main__":
    main()
