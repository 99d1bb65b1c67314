"""``return_as="generator"``: order, bounded memory, and ends of every kind."""

import gc
import threading
import time
from collections.abc import Iterator
from typing import Any, Literal

import pytest

from lightwork.errors import AlreadyRunning
from lightwork.parallel import Parallel, delayed
from lightwork.parallel.options import ReturnAs
from lightwork.protocols import Call
from lightwork.testing.engines import ScriptedEngine

MODES = ("generator", "generator_unordered")


def square(x: int) -> int:
    return x * x


def pumps() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "lightwork-pump"]


def endless() -> Iterator[Call]:
    i = 0
    while True:
        yield delayed(square)(i)
        i += 1


@pytest.mark.parametrize("backend", ["processes", "threads", "sequential"])
@pytest.mark.parametrize("batch_size", ["auto", 1, 7])
def test_ordered_results_come_in_input_order(backend: str, batch_size: Any) -> None:
    """The generator gives the results of the loop, in its order."""
    results = Parallel(2, backend, return_as="generator", batch_size=batch_size)(
        delayed(square)(i) for i in range(100)
    )
    assert isinstance(results, Iterator)
    assert list(results) == [i * i for i in range(100)]
    assert next(results, "over") == "over"


@pytest.mark.parametrize("backend", ["processes", "threads", "sequential"])
def test_unordered_results_are_all_there(backend: str) -> None:
    """The unordered generator gives each result once."""
    results = Parallel(2, backend, return_as="generator_unordered")(delayed(square)(i) for i in range(100))
    assert sorted(results) == [i * i for i in range(100)]


@pytest.mark.slow
def test_unordered_results_do_not_wait_for_slow_ones() -> None:
    """A result that is ready is given although an earlier task still runs."""
    gate = threading.Event()
    results = Parallel(2, "threads", return_as="generator_unordered")(
        [delayed(gate.wait)(20), delayed(square)(3)]
    )
    assert next(results) == 9
    gate.set()
    assert next(results) is True


@pytest.mark.parametrize("mode", MODES)
def test_an_endless_input_is_no_trouble(mode: ReturnAs) -> None:
    """Work stops when nobody reads, so an input without end can be read from and left."""
    results = Parallel(2, "threads", return_as=mode)(endless())
    assert len({next(results) for _ in range(10)}) == 10
    results.close()
    assert pumps() == []


def test_a_reader_that_lags_stops_the_reading_of_the_input() -> None:
    """At most ``pre_dispatch + n_jobs`` large results are on their way or waiting to be read."""
    read = 0
    leads: list[int] = []

    def calls() -> Iterator[Call]:
        for taken in range(1, 201):
            leads.append(taken - read)
            yield delayed(bytes)(5_000_000)

    for _ in Parallel(2, ScriptedEngine(), return_as="generator")(calls()):
        read += 1
    assert read == 200
    assert max(leads) <= 2 * 2 + 2 + 1


@pytest.mark.parametrize("backend", ["processes", "threads"])
@pytest.mark.parametrize("ending", ["close", "del", "cycle", "block"])
def test_a_generator_that_is_left_ends_its_call(backend: str, ending: str) -> None:
    """Closed, dropped, dropped in a reference cycle, or left by its block: the pump and the tasks end."""
    parallel = Parallel(2, backend, return_as="generator")
    with parallel:
        results = parallel(endless())
        assert next(results) == 0
        if ending == "close":
            results.close()
        elif ending == "cycle":
            circle: list[Any] = [results]
            circle.append(circle)
            del circle
        if ending != "block":
            del results
            gc.collect()
    assert pumps() == []
    assert list(parallel(delayed(square)(i) for i in range(3))) == [0, 1, 4]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_generator_says_whether_its_call_goes_on(n_jobs: int) -> None:
    """In its text."""
    results = Parallel(n_jobs, "threads", return_as="generator")(delayed(square)(i) for i in range(3))
    assert "of a parallel call that goes on" in repr(results)
    assert list(results) == [0, 1, 4]
    assert "of a parallel call that has ended" in repr(results)


def test_a_generator_that_was_never_read_can_be_dropped() -> None:
    """Work begins at the call; dropping the generator at once ends it."""
    Parallel(2, "threads", return_as="generator")(endless())
    gc.collect()
    assert pumps() == []


def test_closing_does_not_wait_for_an_input_that_blocks() -> None:
    """An input that never comes back cannot hold up its generator's end."""
    gate, there = threading.Event(), threading.Event()

    def calls() -> Iterator[Call]:
        yield delayed(square)(1)
        there.set()
        gate.wait(30)
        came_back.append(True)

    came_back: list[bool] = []
    results = Parallel(2, "threads", return_as="generator")(calls())
    there.wait(30)
    results.close()
    assert not came_back
    gate.set()
    for pump in pumps():
        pump.join()


class Waiting:
    """Blocks whoever takes it apart."""

    def __init__(self, there: threading.Event, gate: threading.Event) -> None:
        self.there = there
        self.gate = gate
        self.came_back = False

    def __reduce__(self) -> tuple[object, ...]:
        self.there.set()
        self.gate.wait(30)
        self.came_back = True
        return int, ()


def test_closing_does_not_wait_for_an_argument_that_blocks() -> None:
    """Pickling that never comes back cannot hold up the end either; later calls are as ever."""
    gate, there = threading.Event(), threading.Event()
    argument = Waiting(there, gate)
    results = Parallel(2, return_as="generator")([delayed(str)(argument)])
    there.wait(30)
    results.close()
    assert not argument.came_back
    assert Parallel(2)(delayed(square)(i) for i in range(3)) == [0, 1, 4]
    gate.set()
    for pump in pumps():
        pump.join()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("backend", ["processes", "threads", "sequential"])
def test_an_error_is_raised_by_next_and_ends_the_generator(backend: str, mode: ReturnAs) -> None:
    """The error of a task comes out of `next`; after it there is nothing more."""
    results = Parallel(2, backend, return_as=mode)([delayed(int)("x")])
    with pytest.raises(ValueError, match="invalid literal"):
        next(results)
    assert next(results, "over") == "over"


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_a_reader_waits_no_longer_than_its_timeout(mode: ReturnAs) -> None:
    """With ``timeout`` the wait for the next result ends, and with it the call."""
    gate = threading.Event()
    results = Parallel(2, "threads", return_as=mode, timeout=0.1)([delayed(gate.wait)(20)] * 2)
    with pytest.raises(TimeoutError, match=r"timeout=0\.1"):
        next(results)
    gate.set()
    assert next(results, "over") == "over"


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_object_is_busy_while_its_generator_runs(n_jobs: int) -> None:
    """A second call is refused until the generator was exhausted or closed."""
    parallel = Parallel(n_jobs, "threads", return_as="generator")
    results = parallel(delayed(square)(i) for i in range(5))
    next(results)
    with pytest.raises(AlreadyRunning):
        parallel([])
    results.close()
    assert list(parallel([])) == []


def test_one_worker_runs_a_task_when_its_result_is_asked_for() -> None:
    """With ``n_jobs=1`` nothing runs ahead of the reader."""
    ran: list[int] = []
    results = Parallel(1, return_as="generator")(delayed(ran.append)(i) for i in range(5))
    assert ran == []
    next(results)
    assert ran == [0]


def test_two_generators_live_side_by_side() -> None:
    """Generators of two objects, read in turn, both give all their results."""
    one = Parallel(2, return_as="generator")(delayed(square)(i) for i in range(30))
    two = Parallel(2, return_as="generator")(delayed(square)(i) for i in range(30))
    assert list(zip(one, two, strict=True)) == [(i * i, i * i) for i in range(30)]


@pytest.mark.parametrize("on_error", ["return", "skip"])
def test_failures_do_not_stop_the_reading(on_error: Literal["return"]) -> None:
    """Many skipped or returned failures count as read, so the call does not come to a halt."""
    calls = (delayed(int)("x" if i % 3 else str(i)) for i in range(200))
    results = Parallel(2, "threads", return_as="generator", on_error=on_error)(calls)
    numbers = [result for result in results if isinstance(result, int)]
    assert numbers == list(range(0, 200, 3))


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_a_slow_input_holds_up_no_result(backend: str) -> None:
    """Tasks leave as they come, and results are handed on between two of them."""
    read = 0

    def slowly() -> Iterator[Call]:
        nonlocal read
        for number in range(60):
            time.sleep(0.02)  # this is what the input takes
            read += 1
            yield delayed(square)(number)

    list(Parallel(2, backend)(delayed(square)(number) for number in range(4)))  # so that workers are there
    results = Parallel(2, backend, return_as="generator")(slowly())
    assert next(results) == 0
    assert read < 20
    assert list(results) == [number * number for number in range(1, 60)]


def end_early(number: int, error: type[Exception]) -> int:
    if number == 5:
        raise error
    return number


@pytest.mark.parametrize(("backend", "workers"), [("processes", 2), ("threads", 2), ("sequential", 1)])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration])
def test_a_task_cannot_end_the_generator(
    backend: str, workers: int, mode: ReturnAs, error: type[Exception]
) -> None:
    """Raised by the generator as it is, its error would look like the end, and results would be lost."""
    results = Parallel(workers, backend, return_as=mode)(delayed(end_early)(i, error) for i in range(9))
    with pytest.raises(RuntimeError, match=r"raised Stop.*Iteration: task 5: end_early") as caught:
        list(results)
    assert isinstance(caught.value.__cause__, error)


def test_a_second_thread_that_waits_is_refused() -> None:
    """It would take what the first has waited for; the first goes on."""
    gate = threading.Event()
    results = Parallel(2, "threads", return_as="generator")([delayed(gate.wait)(20), delayed(square)(3)])
    first: list[object] = []
    reader = threading.Thread(target=lambda: first.append(next(results)))
    reader.start()
    with pytest.raises(ValueError, match="another thread waits"):
        while not first:  # until the first one waits
            next(results)
    gate.set()
    reader.join()
    assert [*first, *results] == [True, 9]
