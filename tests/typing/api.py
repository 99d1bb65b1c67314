"""Typed uses of the public names. Checked by mypy in strict mode, never run.

``assert_type`` holds what a user's editor shows; a ``type: ignore`` that becomes unused fails the check, so
each of them is a promise that a mistake is found.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, assert_type

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
    load,
    loads,
    parallel_config,
    register_compressor,
    register_context,
    register_safe,
    task_rng,
)
from lightwork.persistence import CompressorWrapper

memory = Memory(Path("cache"))


@memory.cache
def area(width: float, height: float = 1.0) -> float:
    return width * height


@memory.cache(ignore=["note"])
def count(text: str, note: object = None) -> int:
    return len(text)


@memory.cache(ttl="1h")
async def fetch(url: str) -> bytes:
    return url.encode()


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
assert_type(Model().predict(3), str)
assert_type(Model().predict.call(3)[0], str)
assert_type(Model().size, int)
assert_type(Model.double(2), int)
Memory("cache", ttl=[1])  # type: ignore[arg-type]  # a span of time
assert_type(area.check_call_in_cache(2.0), bool)
assert_type(area.call_and_shelve(2.0).get(), float)

area("wide")  # type: ignore[arg-type]  # a cached function keeps its parameters
count()  # type: ignore[call-arg]  # and knows which are missing


def double(value: int) -> int:
    return 2 * value


delayed(double)("two")  # type: ignore[arg-type]  # delayed checks arguments too

doubled: list[int] = Parallel(n_jobs=2)(delayed(double)(i) for i in range(3))
stream: Iterator[int] = Parallel(n_jobs=2, return_as="generator")(delayed(double)(i) for i in range(3))
Parallel(n_jobs=2)(double(i) for i in range(3))  # type: ignore[misc]  # delayed was forgotten

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
