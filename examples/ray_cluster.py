"""Ray: the same line on Ray, which is started on this machine unless `RAY_ADDRESS` names a cluster."""

import numpy as np
from numpy.typing import NDArray

from lightwork import Parallel, delayed, parallel_config


def bootstrap(sample: NDArray[np.float64], seed: int) -> float:
    """The mean of a sample that is drawn anew with replacement."""
    rng = np.random.default_rng(seed)
    return float(rng.choice(sample, len(sample)).mean())


def main() -> None:
    sample = np.random.default_rng(0).normal(10, 2, 20_000)  # goes into Ray's object store, once
    with parallel_config(backend="ray", num_cpus=1):
        means = Parallel(n_jobs=2)(delayed(bootstrap)(sample, seed) for seed in range(100))
    low, high = np.percentile(means, [2.5, 97.5])
    print(f"the mean lies between {low:.2f} and {high:.2f}")
    assert low < sample.mean() < high


if __name__ == "__main__":
    main()
