"""Slurm: workers are jobs of the batch system. Where there is no Slurm, this machine stands in for it.

Start it on a login node. It needs the package dask-jobqueue there.
"""

import shutil
from typing import Any

from distributed import Client, LocalCluster

from lightwork import Memory, Parallel, delayed

memory = Memory("cache")  # on a disk that all nodes see: one file for each result, without locks


@memory.cache
def relax(size: int, steps: int) -> float:
    """The middle of a rod of `size` cells, one end of which is held at 1, after many steps."""
    heat = [0.0] * size
    for _ in range(steps):
        heat[0] = 1.0
        heat = [heat[0], *((a + c) / 2 for a, c in zip(heat, heat[2:], strict=False)), heat[-1]]
    return heat[size // 2]


def cluster(workers: int) -> Any:  # Any: any cluster of Dask
    """Jobs of Slurm, or processes of this machine."""
    if shutil.which("sbatch") is None:
        return LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
    from dask_jobqueue import SLURMCluster  # of the login node alone

    jobs = SLURMCluster(queue="normal", cores=1, memory="2GB", walltime="00:30:00")
    jobs.scale(jobs=workers)
    return jobs


def main() -> None:
    with cluster(2) as workers, Client(workers) as client:
        parallel = Parallel(backend=client, checkpoint="relaxed", on_error="return", retries=1)
        middles = parallel(delayed(relax)(size, 200) for size in range(10, 40))
    print(f"{len(middles)} rods; the middles are between {min(middles):.3f} and {max(middles):.3f}")


if __name__ == "__main__":
    main()
