"""The cache: hits, misses, many entries, eviction, and a new process. Peers: joblib and diskcache."""

import itertools
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3
from growth import Point, disk_of, extrapolate, measure_point
from harness import Case, Side, size, whole

import lightwork
from lightwork.hashing.digests import digest_buffer
from lightwork.memory import Memory
from lightwork.protocols import Limits, Record
from lightwork.stores import SqliteStore
from lightwork.system.mapped import MappingBudget

if find_spec("joblib"):
    import joblib
if find_spec("diskcache"):
    import diskcache

# LIGHTWORK_BENCH_ENTRIES=10000 makes the file quick to run while the rest is being worked on.
ENTRIES = int(os.environ.get("LIGHTWORK_BENCH_ENTRIES", "1000000"))
CALLS = 1000
_CHAINED = 125_000_000  # doubles


def add_one(x: int) -> int:
    return x + 1


def total(a: Any) -> float:
    return float(a.sum())


def length(a: Any) -> int:
    return len(a)


def zeros(n: int) -> Any:
    return np.zeros(n)


class Caches:
    """One function, cached by everyone in a folder of its own; peers that are not installed are ``None``."""

    def __init__(self, scratch: Path, function: Callable[..., Any], *, mmap_mode: str | None = None) -> None:
        self._folder = scratch
        self.by_name: dict[str, Callable[..., Any] | None] = {
            "lightwork": Memory(scratch / "lightwork").cache(function),
            "joblib": None,
            "diskcache": None,
        }
        if find_spec("joblib"):
            memory = joblib.Memory(str(scratch / "joblib"), verbose=0, mmap_mode=mmap_mode)
            self.by_name["joblib"] = memory.cache(function)
        if find_spec("diskcache"):
            self.by_name["diskcache"] = diskcache.Cache(str(scratch / "diskcache")).memoize()(function)

    def sides(self, *args: Any, calls: int) -> dict[str, Side | None]:
        """Everyone calls the function `calls` times with the same arguments: hits."""
        return {
            name: f and Side(_repeat(f, args, calls), setup=_once(f, args))
            for name, f in self.by_name.items()
        }

    def fresh_sides(self, calls: int) -> dict[str, Side | None]:
        """Everyone calls the function with numbers never used before: misses."""
        return {name: f and Side(_count(f, calls)) for name, f in self.by_name.items()}


def _repeat(function: Callable[..., Any], args: tuple[Any, ...], calls: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(calls):
            function(*args)

    return run


def _once(function: Callable[..., Any], args: tuple[Any, ...]) -> Callable[[], None]:
    def setup() -> None:
        function(*args)

    return setup


def _count(function: Callable[..., Any], calls: int) -> Callable[[], None]:
    numbers = itertools.count()

    def run() -> None:
        for number in itertools.islice(numbers, calls):
            function(number)

    return run


def cases(scratch: Path) -> Iterator[Case]:
    yield from _hits(scratch)
    yield _chain(scratch)
    yield from _misses(scratch)
    yield from _many(scratch)
    yield from _limits(scratch)
    yield _trimming(scratch)
    yield _new_process(scratch)


def _hits(scratch: Path) -> Iterator[Case]:
    scalar = Caches(scratch / "scalar", add_one)
    hot = Memory(scratch / "hot", hot_bytes="10MB").cache(add_one)
    yield Case(
        "hit, scalar argument",
        {
            **scalar.sides(7, calls=CALLS),
            "lightwork with hot_bytes": Side(_repeat(hot, (7,), CALLS), setup=_once(hot, (7,))),
            "yardstick: keyed SELECT": Side(_selects(scratch, CALLS)),
        },
        per=CALLS,
        target="≤ 12 µs",
        met=lambda m: m["lightwork"] <= 12e-6,
    )
    small = np.random.default_rng(0).random(1000)
    buffer = memoryview(small).cast("B")
    yield Case(
        "hit, 8 KB array argument",
        {
            **Caches(scratch / "small", total).sides(small, calls=200),
            "yardstick: BLAKE3 of the array": Side(_repeat(lambda: blake3(buffer).digest(), (), 200)),
        },
        per=200,
        target="≤ 20 µs",
        met=lambda m: m["lightwork"] <= 20e-6,
    )
    large = np.random.default_rng(0).random(12_500_000)
    yield Case(
        "hit, 100 MB array argument",
        {
            **Caches(scratch / "large", total).sides(large, calls=1),
            "yardstick: BLAKE3 over own threads": Side(lambda: digest_buffer(memoryview(large).cast("B"))),
        },
        target="≤ 1.1 × yardstick",
        met=lambda m: m["lightwork"] <= 1.1 * m["yardstick: BLAKE3 over own threads"],
    )
    yield Case(
        "hit that returns 100 MB",
        {
            **Caches(scratch / "result", zeros).sides(12_500_000, calls=10),
            "yardstick: map a file": Side(_maps(scratch, 10)),
        },
        per=10,
        target="≤ 0.15 ms, writable",
        met=lambda m: m["lightwork"] <= 0.15e-3,
        note="joblib without mmap_mode, which makes results read-only; the yardstick opens, maps, closes.",
    )


def _chain(scratch: Path) -> Case:
    def side(cache: Callable[..., Any]) -> Side:
        make, use = cache(zeros), cache(length)

        def run() -> None:
            use(make(_CHAINED))

        return Side(run, setup=run)

    sides: dict[str, Side | None] = {"lightwork": side(Memory(scratch / "chain").cache), "joblib": None}
    if find_spec("joblib"):
        memory = joblib.Memory(str(scratch / "chain-joblib"), verbose=0, mmap_mode="r")
        sides["joblib"] = side(memory.cache)
    return Case(
        "chain of two hits, 1 GB between them",
        sides,
        target="≤ 5 ms",
        met=lambda m: m["lightwork"] <= 5e-3,
        note="joblib with mmap_mode='r'.",
        rounds=3,
    )


def _misses(scratch: Path) -> Iterator[Case]:
    yield Case(
        "miss of a trivial function",
        {
            **Caches(scratch / "miss", add_one).fresh_sides(300),
            "yardstick: one put": Side(_puts(SqliteStore(scratch / "puts"), 300)),
        },
        per=300,
        target="≤ 90 µs",
        met=lambda m: m["lightwork"] <= 90e-6,
    )


def _many(scratch: Path) -> Iterator[Case]:
    full, empty = SqliteStore(scratch / "full"), SqliteStore(scratch / "empty")
    points = _grow(full, scratch / "full")

    def start_anew() -> None:
        nonlocal empty
        empty.close()
        shutil.rmtree(scratch / "empty", ignore_errors=True)
        empty = SqliteStore(scratch / "empty")
        empty.put(_key(-1), _RECORD)

    def run_empty() -> None:
        _puts(empty, CALLS)()

    yield Case(
        f"put into {ENTRIES:,} small entries",
        {
            "lightwork": Side(_puts(full, CALLS, start=2 * ENTRIES)),
            "yardstick: put into an empty cache": Side(run_empty, setup=start_anew),
        },
        per=CALLS,
        target="≤ 1.5 × empty (for a million)",
        met=lambda m: m["lightwork"] <= 1.5 * m["yardstick: put into an empty cache"],
    )
    start_anew()
    run_empty()
    spread = [_key(number * ENTRIES // CALLS) for number in range(CALLS)]
    few = [_key(number) for number in range(CALLS)]
    yield Case(
        f"get from {ENTRIES:,} small entries",
        {
            "lightwork": Side(_gets(full, spread)),
            "yardstick: get from 1,000 entries": Side(_gets(empty, few)),
        },
        per=CALLS,
        target="≤ 1.5 × empty (for a million)",
        met=lambda m: m["lightwork"] <= 1.5 * m["yardstick: get from 1,000 entries"],
    )
    full.close()

    def open_and_get() -> None:
        store = SqliteStore(scratch / "full")
        assert store.get(_key(ENTRIES // 2)) is not None
        store.close()

    yield Case(
        f"open {ENTRIES:,} entries to first hit",
        {"lightwork": Side(open_and_get)},
        target="≤ 50 ms",
        met=lambda m: m["lightwork"] <= 50e-3,
    )
    yield from _scale(scratch, points)


def _grow(store: SqliteStore, folder: Path) -> list[Point]:
    """Fill a store, and measure it on the way."""
    points, filled = [], 0
    extra = _puts(store, CALLS, start=3 * ENTRIES)
    for entries in (ENTRIES // 100, ENTRIES // 10, ENTRIES):
        _puts(store, entries - filled, start=filled)()
        filled = entries
        spread = [_key(number * entries // CALLS) for number in range(CALLS)]
        points.append(measure_point(folder, entries, put=extra, get=_gets(store, spread), per=CALLS))
    return points


def _scale(scratch: Path, points: list[Point]) -> Iterator[Case]:
    """What a million small entries take of the disk, and what ten million can be expected to."""
    last, far = points[-1], extrapolate(points, 10 * ENTRIES)
    per_entry: dict[str, tuple[float, float]] = {"lightwork": (last.nbytes / ENTRIES, last.inodes / ENTRIES)}
    caches = Caches(scratch / "sizes", add_one)
    for name, function in caches.by_name.items():
        if function is not None and name != "lightwork":
            _count(function, CALLS)()
            nbytes, inodes = disk_of(scratch / "sizes" / name)
            per_entry[name] = nbytes / CALLS, inodes / CALLS
    note = f"The others with {CALLS:,} entries, and so many times more."
    for what, place, show in (("disk", 0, size), ("inodes", 1, whole)):
        yield Case(
            f"{what} taken by {ENTRIES:,} small entries",
            {name: _figure(figures[place] * ENTRIES) for name, figures in per_entry.items()},
            note=note,
            rounds=1,
            show=show,
        )
    curve = "Not measured but read off the curve: a line over the logarithm of the number of entries."
    for what, pick in (("put into", lambda p: p.put), ("get from", lambda p: p.get)):
        sides: dict[str, Side | None] = {"lightwork": _figure(pick(far))}
        sides |= {f"yardstick: {point.entries:,}, measured": _figure(pick(point)) for point in points}
        yield Case(f"{what} {far.entries:,} small entries", sides, note=curve, rounds=1)
    yield Case(
        f"disk taken by {far.entries:,} small entries",
        {
            "lightwork": _figure(far.nbytes),
            **{f"yardstick: {p.entries:,}, measured": _figure(p.nbytes) for p in points},
        },
        note=f"Not measured: in proportion. {far.inodes:.0f} inodes.",
        rounds=1,
        show=size,
    )


def _figure(value: float) -> Side:
    """A side that was measured before."""
    return Side(lambda: float(value))


def _limits(scratch: Path) -> Iterator[Case]:
    """What limits cost a put when the cache is full: everyone writes records that were never there."""
    entries = min(ENTRIES, 100_000)
    plain = SqliteStore(scratch / "plain")
    _puts(plain, entries)()
    size = os.path.getsize(scratch / "plain" / "lightwork-1" / "records.sqlite")
    for name, limits in (
        ("max_items", Limits(max_items=entries)),
        ("max_bytes", Limits(max_bytes=size * 5 // 4)),
    ):
        limited = SqliteStore(scratch / name)
        _puts(limited, entries * 5 // 4, limits=limits)()
        yield Case(
            f"put under {name} into a full cache of {entries:,}",
            {
                "lightwork": Side(_puts(limited, 5000, start=2 * entries, limits=limits)),
                "yardstick: put without limits": Side(_puts(plain, 5000, start=2 * entries)),
            },
            per=5000,
            target="≤ 1.05 × without",
            met=lambda m: m["lightwork"] <= 1.05 * m["yardstick: put without limits"],
            note="5,000 puts hold at least one round of eviction.",
        )


def _trimming(scratch: Path) -> Case:
    memories: dict[str, Any] = {"lightwork": Memory(scratch / "trim-lightwork")}
    if find_spec("joblib"):
        memories["joblib"] = joblib.Memory(str(scratch / "trim-joblib"), verbose=0)

    def fill(name: str) -> Callable[[], None]:
        cached = memories[name].cache(add_one)
        return lambda: [cached(number) for number in range(5000)] and None

    return Case(
        "reduce_size, 5,000 entries",
        {
            name: Side(lambda memory=memory: memory.reduce_size(items_limit=0), setup=fill(name))
            for name, memory in memories.items()
        },
        target="≤ 10 ms",
        met=lambda m: m["lightwork"] <= 10e-3,
        note="All 5,000 are removed.",
        rounds=5,
    )


_FIRST_HIT = (
    "import time; t = time.perf_counter()\n"
    "{imports}\n"
    "import bench_functions\n"
    "value = {memory}.cache(bench_functions.add_one)(1)\n"
    "print(time.perf_counter() - t)\n"
)


def _new_process(scratch: Path) -> Case:
    (scratch / "bench_functions.py").write_text("def add_one(x):\n    return x + 1\n")
    sides: dict[str, Side | None] = {
        "lightwork": _first_hit(
            scratch, "from lightwork import Memory", f"Memory({str(scratch / 'new-l')!r})"
        ),
        "joblib": None,
    }
    if find_spec("joblib"):
        folder = str(scratch / "new-j")
        sides["joblib"] = _first_hit(scratch, "from joblib import Memory", f"Memory({folder!r}, verbose=0)")
    return Case(
        "new process, import to first hit",
        sides,
        target="≤ 90 ms",
        met=lambda m: m["lightwork"] <= 90e-3,
    )


def _first_hit(scratch: Path, imports: str, memory: str) -> Side:
    code = _FIRST_HIT.format(imports=imports, memory=memory)

    environment = {**os.environ, "PYTHONPATH": str(Path(lightwork.__file__).parents[1])}

    def run() -> float:
        command = [sys.executable, "-c", code]
        found = subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=scratch, env=environment
        )
        return float(found.stdout)

    run()  # the first process fills the cache
    return Side(run)


_RECORD = Record(bytes(60), (), b'{"duration":0.1,"time":1700000000.0,"function":"m:f","call":"f(1)"}')


def _key(number: int) -> bytes:
    return blake3(number.to_bytes(8, "big", signed=True)).digest()


def _puts(
    store: SqliteStore, count: int, *, start: int = 0, limits: Limits | None = None
) -> Callable[[], None]:
    numbers = itertools.count(start)

    def run() -> None:
        for number in itertools.islice(numbers, count):
            store.put(_key(number), _RECORD)

    def run_limited() -> None:
        for number in itertools.islice(numbers, count):
            store.put_within(_key(number), _RECORD, seconds=0.0, limits=limits or Limits())

    return run if limits is None else run_limited


def _gets(store: SqliteStore, keys: list[bytes]) -> Callable[[], None]:
    def run() -> None:
        for key in keys:
            store.get(key)

    return run


def _selects(scratch: Path, calls: int) -> Callable[[], None]:
    connection = sqlite3.connect(scratch / "select.sqlite", isolation_level=None)
    connection.execute("CREATE TABLE t (key BLOB PRIMARY KEY, body BLOB) WITHOUT ROWID")
    for number in range(1000):
        connection.execute("INSERT INTO t VALUES (?, ?)", (_key(number), bytes(200)))
    key = _key(500)

    def run() -> None:
        for _ in range(calls):
            connection.execute("SELECT body FROM t WHERE key = ?", (key,)).fetchone()

    return run


def _maps(scratch: Path, times: int) -> Callable[[], None]:
    path, budget = scratch / "mapped", MappingBudget()
    path.write_bytes(bytes(100_000_000))

    def run() -> None:
        for _ in range(times):
            descriptor = os.open(path, os.O_RDONLY)
            budget.map(descriptor, 100_000_000)
            os.close(descriptor)

    return run
