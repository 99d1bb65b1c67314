"""What calls of `Parallel` return; checked by mypy and pyright, never run."""

from collections.abc import Iterator
from concurrent.futures import Future, as_completed
from typing import Any, Literal, assert_type

from lightwork import Executor, Failure, Parallel, delayed
from lightwork.parallel.options import ReturnAs
from lightwork.parallel.stream import Stream


def double(value: int) -> int:
    return 2 * value


def half(value: int, by: float = 2.0) -> float:
    return value / by


tasks = [delayed(double)(i) for i in range(3)]

# A list by default, and with errors that are raised or left out.
assert_type(Parallel()(delayed(double)(i) for i in range(3)), list[int])
assert_type(Parallel(2, "threads", "list")(tasks), list[int])
assert_type(Parallel(on_error="skip")(tasks), list[int])
assert_type(Parallel(on_error="group")(delayed(half)(i, by=3.0) for i in range(3)), list[float])

# Failures among the results have to be told from them.
mixed = Parallel(2, on_error="return")(tasks)
assert_type(mixed, list[int | Failure])
sum(result for result in mixed if not isinstance(result, Failure))
sum(mixed)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

# Streams.
stream = Parallel(2, return_as="generator")(tasks)
assert_type(stream, Stream[int])
assert_type(next(stream), int)
stream.close()
assert_type(Parallel(2, None, "generator_unordered")(tasks), Stream[int])
assert_type(Parallel(2, return_as="generator", on_error="return")(tasks), Stream[int | Failure])


async def awaited() -> None:
    async for number in Parallel(2, return_as="generator_unordered")(tasks):
        assert_type(number, int)


# The object remembers what it gives.
with Parallel(n_jobs=2, return_as="generator") as parallel:
    assert_type(parallel(tasks), Stream[int])


def run(parallel: Parallel) -> None:
    assert_type(parallel(tasks), list[int])


def run_streams(parallel: Parallel[Literal["generator"]]) -> None:
    assert_type(parallel(tasks), Stream[int])


def run_any(way: ReturnAs) -> None:
    assert_type(Parallel(return_as=way)(tasks), Any)


# `map` knows its function.
assert_type(Parallel().map(double, range(3)), list[int])
assert_type(Parallel().map(half, range(3), [2.0, 3.0]), list[float])
assert_type(Parallel(return_as="generator").map(double, range(3)), Stream[int])
assert_type(Parallel(on_error="return").map(double, range(3)), list[int | Failure])

Parallel(return_as="tuple")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
Parallel(on_error="ignore")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]


# Single calls: parameters and results are those of the function.
with Executor(2, "threads", retries=1) as executor:
    assert_type(executor, Executor)
    future = executor.submit(half, 3, by=4.0)
    assert_type(future, Future[float])
    assert_type(future.result(timeout=1), float)
    executor.submit(half, "3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    executor.submit(half, 3, to=4.0)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    assert_type(executor.prioritized(2).submit(double, 3), Future[int])
    assert_type(executor.map(double, [1, 2], buffersize=1), Iterator[int])
    for done in as_completed([executor.submit(double, 3)]):
        assert_type(done, Future[int])
    Executor(max_workers=2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
