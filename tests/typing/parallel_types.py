"""What calls of `Parallel` return; checked by mypy and pyright, never run."""

from typing import Any, Literal, assert_type

from lightwork import Failure, Parallel, delayed
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
