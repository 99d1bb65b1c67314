"""A cache in a bucket: what one machine has computed is a hit for all others.

Name the URL of a bucket on the command line, with its credentials in the environment; without one a server of
the same protocol, moto's, is started here.
"""

import logging
import os
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from lightwork import Memory, Parallel, delayed


@contextmanager
def bucket() -> Iterator[str]:
    """The URL of a bucket."""
    if len(sys.argv) > 1:
        yield sys.argv[1]
        return
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no line for each request

    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}".replace("0.0.0.0", "127.0.0.1")
    os.environ |= {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
    }
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/results", method="PUT")).close()
    try:
        yield "s3://results/collatz"
    finally:
        server.stop()


def longest(last: int) -> int:
    """The longest Collatz sequence that begins below `last`."""

    def steps(n: int) -> int:
        count = 0
        while n != 1:
            n, count = (n // 2 if n % 2 == 0 else 3 * n + 1), count + 1
        return count

    return max(map(steps, range(1, last)))


def main() -> None:
    with bucket() as url:
        cached = Memory(url).cache(longest)
        lasts = range(1000, 5000, 1000)
        found = Parallel(n_jobs=2)(delayed(cached)(last) for last in lasts)  # workers use the bucket too

        elsewhere = Memory(url).cache(longest)  # as on another machine: nothing is on its disks
        assert all(elsewhere.check_call_in_cache(last) for last in lasts)
        assert [elsewhere(last) for last in lasts] == found
        print(f"{found}; elsewhere {elsewhere.stats().hits} hits and {elsewhere.stats().misses} misses")


if __name__ == "__main__":
    main()
