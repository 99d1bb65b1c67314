"""Remember and share out: the value of pi from many simulations, computed once.

Run it twice: the second run computes nothing, also with more seeds only the new ones.
"""

import sys

import numpy as np

from lightwork import Memory, Parallel, delayed

memory = Memory("cache", max_bytes="1G")


@memory.cache
def inside(seed: int, points: int) -> int:
    """How many of `points` random points of the unit square lie in the circle."""
    rng = np.random.default_rng(seed)
    x, y = rng.random((2, points))
    return int((x * x + y * y < 1).sum())


def main(seeds: int = 40, points: int = 200_000) -> None:
    known = sum(inside.check_call_in_cache(seed, points) for seed in range(seeds))
    hits = Parallel(n_jobs=2)(delayed(inside)(seed, points) for seed in range(seeds))
    estimate = 4 * sum(hits) / (seeds * points)
    print(f"pi is about {estimate:.4f}; {known} of {seeds} simulations were known")
    assert abs(estimate - np.pi) < 0.01


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
