"""Dask: the same line on a cluster. Here it is one of this machine; give `Client` the address of yours."""

import socket

from distributed import Client

from lightwork import Parallel, delayed


def count_primes(first: int, last: int) -> tuple[str, int]:
    """Which machine counted, and how many primes it found."""
    found = sum(all(n % d for d in range(2, int(n**0.5) + 1)) for n in range(max(2, first), last))
    return socket.gethostname(), found


def main() -> None:
    ranges = [(start, start + 5_000) for start in range(0, 50_000, 5_000)]
    with Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
        parallel = Parallel(backend=client, retries=2)
        counted = parallel(delayed(count_primes)(first, last) for first, last in ranges)
    machines, primes = zip(*counted, strict=True)
    print(f"{sum(primes)} primes below 50,000, counted by {len(set(machines))} machine(s)")
    assert sum(primes) == 5133


if __name__ == "__main__":
    main()
