"""A cache in an object store, against a server that speaks the protocol of S3 on the loopback interface.

The server takes milliseconds for each request, which it answers one after the other: what counts is the ratio
to the requests that cannot be saved, made by obstore alone.
"""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from harness import Case, Side

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.s3_server import S3Server  # noqa: E402

_NUMBERS = itertools.count()
_PIECE = 8 << 20
_MANY = 20
_FIRST_HIT = """
import sys, time
begun = time.perf_counter()
from lightwork import Memory
def f(x):
    return x + 1
Memory(sys.argv[1]).cache(f, track="none", version=1)(1)
print(time.perf_counter() - begun)
"""
_FIRST_GET = """
import sys, time
begun = time.perf_counter()
import obstore
from obstore.store import from_url
bytes(obstore.get(from_url(sys.argv[1]), "x").bytes())
print(time.perf_counter() - begun)
"""


def small(x: int) -> int:
    return x + 1


def large(x: int) -> "np.ndarray[Any, Any]":
    return np.full(100_000_000 // 8, float(x))


def cases(scratch: Path) -> Iterator[Case]:
    if find_spec("obstore") is None or find_spec("moto") is None:
        return
    server = S3Server()
    server.start()
    os.environ.update(server.environment)
    try:
        yield from _cases(server, scratch)
    finally:
        server.kill()


def _cases(server: S3Server, scratch: Path) -> Iterator[Case]:
    import obstore
    from obstore.store import from_url

    from lightwork import Memory

    url = server.url("bench")
    bare = from_url(url)
    obstore.put(bare, "x", b"x" * 300)
    options = {"track": "none", "version": 1}
    far = Memory(url).cache(small, **options)
    asked = Memory(url, backend_options={"local": scratch / "asked", "fresh": 0}).cache(small, **options)
    fresh = Memory(url, backend_options={"local": scratch / "fresh", "fresh": 3600}).cache(small, **options)
    for cached in (far, asked, fresh):
        cached(1)
    get = Side(lambda: [bytes(obstore.get(bare, "x").bytes()) for _ in range(_MANY)])
    yield Case(
        "hit, small result, in an object store",
        {"lightwork": Side(lambda: [far(1) for _ in range(_MANY)]), "yardstick: one GET": get},
        per=_MANY,
        target="≤ 1.2 × yardstick",
        met=lambda m: m["lightwork"] <= 1.2 * m["yardstick: one GET"],
    )
    yield Case(
        "the same, with a local copy that is checked",
        {"lightwork": Side(lambda: [asked(1) for _ in range(_MANY)]), "yardstick: one GET": get},
        per=_MANY,
    )
    yield Case(
        "the same, with a local copy that is fresh",
        {"lightwork": Side(lambda: [fresh(1) for _ in range(1000)])},
        per=1000,
        target="≤ 50 µs",
        met=lambda m: m["lightwork"] <= 50e-6,
    )
    yield Case(
        "miss of a trivial function, in an object store",
        {
            "lightwork": Side(lambda: [far(next(_NUMBERS) + 100) for _ in range(_MANY)]),
            "yardstick: two GETs, two PUTs": Side(
                lambda: [_four_requests(bare, obstore) for _ in range(_MANY)]
            ),
        },
        per=_MANY,
        note="looking, taking the lease, looking again, keeping; two more requests by a thread meanwhile",
    )
    yield from _large(url, scratch, bare, obstore, Memory)
    yield Case(
        "new process, import to first hit, in an object store",
        {
            "lightwork": Side(lambda: _script(_FIRST_HIT, url)),
            "yardstick: import obstore, one GET": Side(lambda: _script(_FIRST_GET, url)),
        },
    )


# Any: obstore has no types here
def _large(url: str, scratch: Path, bare: Any, obstore: Any, memory: Any) -> Iterator[Case]:
    options = {"track": "none", "version": 1}
    far = memory(url).cache(large, **options)
    asked = memory(url, backend_options={"local": scratch / "large", "fresh": 0}).cache(large, **options)
    for cached in (far, asked):
        cached(1)
        cached(1)
    obstore.put(bare, "large", bytes(100_000_000))
    pieces = [(start, min(start + _PIECE, 100_000_000)) for start in range(0, 100_000_000, _PIECE)]
    threads = ThreadPoolExecutor(8)
    yield Case(
        "hit that returns 100 MB, in an object store",
        {
            "lightwork": Side(lambda: far(1)),
            "yardstick: the same 12 ranges": Side(
                lambda: list(
                    threads.map(lambda at: obstore.get_range(bare, "large", start=at[0], end=at[1]), pieces)
                )
            ),
        },
        target="≤ 1.2 × yardstick",
        met=lambda m: m["lightwork"] <= 1.2 * m["yardstick: the same 12 ranges"],
    )
    yield Case("the same, with a local copy that is checked", {"lightwork": Side(lambda: asked(1))})


def _four_requests(store: Any, obstore: Any) -> None:
    for _ in range(2):
        bytes(obstore.get(store, "x").bytes())
        obstore.put(store, f"new/{time.monotonic_ns()}", b"x" * 300, mode="create")


def _script(code: str, url: str) -> float:
    command = [sys.executable, "-c", code, url]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
