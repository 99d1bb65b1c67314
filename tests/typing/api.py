"""Typed uses of the public names. Checked by mypy in strict mode, never run.

``assert_type`` holds what a user's editor shows; a ``type: ignore`` that becomes unused fails the check, so
each of them is a promise that a mistake is found.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, assert_type, cast

import lightwork
from lightwork import (
    Memory,
    Parallel,
    cpu_count,
    delayed,
    dump,
    dumps,
    explain_hash,
    hash,
    is_cancelled,
    load,
    loads,
    parallel_config,
    register_compressor,
    register_context,
    register_parallel_backend,
    register_safe,
    register_store_backend,
    share,
    task_rng,
    worker_id,
)
from lightwork.engines.sequential import SequentialEngine
from lightwork.memory import CallStats, Explanation
from lightwork.memory.entries import CacheEntry, Verification
from lightwork.memory.plan import Plan
from lightwork.memory.stats import MemoryStats
from lightwork.parallel import Capsule, read_capsule
from lightwork.persistence import CompressorWrapper, Inspection, verify
from lightwork.protocols import Store
from lightwork.stores import TransientStore

memory = Memory(Path("cache"))
Memory("cache", hot_bytes="10MB")
Memory("cache", hot_bytes=None)  # type: ignore[arg-type]  # 0 for none


@memory.cache
def area(width: float, height: float = 1.0) -> float:
    return width * height


@memory.cache(ignore=["note"])
def count(text: str, note: object = None) -> int:
    return len(text)


@memory.cache(ttl="1h")
async def fetch(url: str) -> bytes:
    return url.encode()


@memory.cache(ttl="1h", stale=timedelta(minutes=10), key=lambda text: text.lower(), on_error="raise")
def shout(text: str) -> str:
    return text.upper()


memory.cache(count.func, stale=[1])  # type: ignore[call-overload]  # a span of time


class Model:
    @memory.cache
    def predict(self, value: int) -> str:
        return str(value)

    @memory.cache(ttl=timedelta(days=1))
    async def ask(self, question: str) -> int:
        return len(question)

    @property
    @memory.cache
    def size(self) -> int:
        return 3

    @staticmethod
    @memory.cache
    def double(value: int) -> int:
        return 2 * value

    @memory.cache
    @staticmethod
    def triple(value: int) -> int:
        return 3 * value

    @memory.cache(ttl=60)
    @classmethod
    def named(cls, name: str) -> bytes:
        return name.encode()

    @memory.cache  # type: ignore[prop-decorator]  # of mypy: it knows no decorators above a property
    @property
    def width(self) -> int:
        return 3

    @memory.cache(ttl=60)  # type: ignore[prop-decorator]
    @cached_property
    def height(self) -> int:
        return 3


async def awaited() -> None:
    assert_type(await fetch("x"), bytes)
    assert_type((await fetch.call("x"))[0], bytes)
    assert_type((await fetch.call_and_shelve("x")).get(), bytes)
    assert_type(await Model().ask("x"), int)
    assert_type((await Model().ask.call("x"))[0], int)
    assert_type((await Model().ask.call_and_shelve("x")).get(), int)
    await fetch(3)  # type: ignore[arg-type]  # an async function keeps its parameters too
    await Model().ask()  # type: ignore[call-arg]


assert_type(area(2.0, height=3.0), float)
assert_type(count("x"), int)
assert_type(shout("x"), str)
assert_type(Model().predict(3), str)
assert_type(Model().predict.call(3)[0], str)
assert_type(Model().size, int)
assert_type(Model.double(2), int)
assert_type(Model.triple(2), int)
assert_type(Model().named("x"), bytes)
assert_type(Model().width, int)
assert_type(Model().height, int)
Model.triple("x")  # type: ignore[arg-type]
# Neither checker sees that it is bound: a ``__get__`` that is right for these is wrong for methods.
Model.named("x")  # type: ignore[call-arg, arg-type]
Memory("cache", ttl=[1])  # type: ignore[arg-type]  # a span of time
Memory(
    "cache", compress=("zstd", 3), max_bytes="1GB", max_items=10, max_age=timedelta(days=1), sign=b"s" * 16
)
Memory("cache", compress=[1])  # type: ignore[arg-type]  # no list
Memory("cache", "mine", backend_options={"region": "north"}, user_code=["package"], trust_folder=False)
Memory(store=TransientStore(), ttl=60, verbose=1)
Memory(store=object())  # type: ignore[arg-type]  # no store
Memory("cache", "local", None, False, 0, None, "x")  # type: ignore[call-arg, arg-type]  # additions go by keyword
register_store_backend("mine", lambda location, region="": TransientStore())
register_store_backend("mine", lambda location: 3)  # type: ignore[arg-type, return-value]  # makes no store
register_store_backend(3, TransientStore)  # type: ignore[arg-type]  # no name
register_parallel_backend("mine", SequentialEngine)
register_parallel_backend("mine", lambda width=2: SequentialEngine(), make_default=True)
register_parallel_backend("mine", 3)  # type: ignore[arg-type]  # nothing that makes backends
register_parallel_backend(3, SequentialEngine)  # type: ignore[arg-type]  # no name
assert_type(memory.store, Store | None)
assert_type(memory.stats(), MemoryStats)
memory.stats().save(Path("cache.html"))
assert_type(memory.entries(), list[CacheEntry])
assert_type(memory.plan(area, [(1.0,), {"width": 2.0}, 3.0]), Plan)
assert_type(memory.verify(), Verification)
assert_type(memory.facts(memory.entries()[0].key), dict[str, Any])
assert_type(area.store, Store)
assert_type(memory.eval(area.func, 2.0, height=1.0), float)
memory.reduce_size("1G", 10, timedelta(days=1))
memory.reduce_size(age_limit="30 days")
memory.reduce_size(age_limit=[3])  # type: ignore[arg-type]  # no span of time
Memory("cache", verbos=3)  # type: ignore[arg-type]  # no option
assert_type(area.explain(2.0), Explanation)
assert_type(area.stats(), CallStats)
assert_type(area.forget(2.0), bool)
assert_type(area.plan([2.0]), Plan)
area.explain("wide")  # type: ignore[arg-type]  # questions keep the parameters too
area.call_and_shelve(2.0).metadata  # type: ignore[union-attr]  # it may not be kept
assert_type(area.check_call_in_cache(2.0), bool)
assert_type(area.call_and_shelve(2.0).get(), float)

area("wide")  # type: ignore[arg-type]  # a cached function keeps its parameters
count()  # type: ignore[call-arg]  # and knows which are missing


def double(value: int) -> int:
    return 2 * value


delayed(double)("two")  # type: ignore[arg-type]  # delayed checks arguments too


def total(table: dict[str, int], start: int) -> int:
    return sum(table.values(), start)


doubled: list[int] = Parallel(n_jobs=2)(delayed(double)(i) for i in range(3))
advice: str = Parallel(progress="rich", trace="run.json").report().advice
Parallel().report().save("report.html")
Parallel().report().save(b"report.html")  # type: ignore[arg-type]  # a path
peak: int = Parallel().report().memory[0].peak
Parallel(backend=ThreadPoolExecutor(2))
Parallel(backend="dask", client="tcp://127.0.0.1:8786", scatter=[{}])
Parallel(backend=3)  # type: ignore[arg-type]  # neither a name, nor an engine, nor an executor
Parallel(progress=lambda done, total, failed: print(done, total or 0, failed))
Parallel(progress="poor")  # type: ignore[arg-type]  # no such display
stream: Iterator[int] = Parallel(n_jobs=2, return_as="generator")(delayed(double)(i) for i in range(3))
Parallel(n_jobs=2)(double(i) for i in range(3))  # type: ignore[arg-type]  # delayed was forgotten

Parallel(2, worker_env=lambda number: {"RANK": str(number)}, max_worker_memory="2GB", max_tasks_per_worker=9)
Parallel(2, memory_budget="3GB", preload=["numpy"])
with parallel_config(preload=("numpy", "math")):
    pass
Parallel(2, initializer=print, initargs=("begin",), worker_env={"RANK": "0"}, backend="auto")
rank: int = worker_id()
given_up: bool = is_cancelled()
Parallel(n_jobs=2, checkpoint=Path("kept"))
Parallel(n_jobs=2, check_mutation=True)
Parallel(n_jobs=2, check_mutation="yes")  # type: ignore[arg-type]  # a truth value
Parallel(n_jobs=2, save_failures=Path("failures"))
assert_type(read_capsule("x.lw"), Capsule)
assert_type(verify("x.lw"), Inspection)
Parallel(n_jobs=2, checkpoint=3)  # type: ignore[arg-type]  # a path
by_map: list[int] = Parallel(n_jobs=2).map(double, range(3))
by_two: list[float] = Parallel(n_jobs=2).map(pow, [1, 2], (3.0, 4.0))
Parallel(n_jobs=2).map(3, [1])  # type: ignore[call-overload]  # no function
with share({"a": 1}) as shared:
    assert_type(shared.value, dict[str, int])
    assert_type(shared.nbytes, int)
    # What the tasks get is no `Shared`: a cast says so (docs/sharing.md).
    Parallel(2)(delayed(total)(shared, i) for i in range(3))  # type: ignore[arg-type]
    as_table = cast("dict[str, int]", shared)
    assert_type(Parallel(2)(delayed(total)(as_table, i) for i in range(3)), list[int])

with parallel_config(backend="threads", n_jobs=2):
    assert_type(cpu_count(), int)

assert_type(hash([1, 2]), str)
assert_type(explain_hash([1, 2], depth=3).key, str | None)
for difference in explain_hash([1]).differences(explain_hash([2])):
    assert_type(difference.path, str)
assert_type(dumps({"a": 1}), bytes)
dump([1], "x.lw", compress=True)
value: Any = load("x.lw")
again: Any = loads(dumps(value))
some: Any = load("x.lw", keys=["a", 7])
load("x.lw", keys="a", key=1)  # type: ignore[call-arg]  # options are known
with lightwork.open(Path("x.lw")) as file:
    assert_type(file, lightwork.persistence.OpenedFile)
    assert_type(file.array.shape, tuple[int, ...])
    assert_type(file.keys(), list[Any])
    part: Any = file["a"]
lightwork.open("x.lw", renames={"old.module": "new.module"}).close()
lightwork.open(7)  # type: ignore[arg-type]  # a path, no descriptor
assert_type(dump([1], Path("x.joblib"), ("gzip", 3), protocol=4, format="joblib"), list[str])
moved: Any = load("x.lw", "r", renames={"old.module": "new.module"})
dump([1], "x", format="pickle")  # type: ignore[call-overload]  # no such format
register_compressor("mine", CompressorWrapper(open, prefix=b"mine", extension=".mine"), force=True)
register_compressor("mine", open)  # type: ignore[arg-type]  # no compressor
stranger: Any = load("x.lw", safe=True, trusted=["sklearn"])
loads(dumps(value), safe=True)
load("x.lw", None, "auto", ["a"])  # type: ignore[call-arg]  # additions to joblib's parameters go by keyword


class Point:
    def __init__(self, x: float) -> None:
        self.x = x


register_safe(Point, lambda held: Point(float(held["x"])))
register_safe(Point, lambda held: 3)  # type: ignore[arg-type, return-value]  # makes no point

Parallel(n_jobs=2, seed=3, capture_output="fd")(delayed(double)(i) for i in range(3))
Parallel(capture_output=lambda index, stream, text: None)
Parallel(capture_output="all")  # type: ignore[arg-type]  # no such way
Parallel(seed="3")  # type: ignore[arg-type]  # a number
assert_type(float(task_rng().random()), float)
register_context("mine", int, print)
register_context("mine", 3, print)  # type: ignore[arg-type]  # no function
