"""The size of a batch never shows in the results."""

import random
import socket
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightwork.engines.processes import ProcessEngine
from lightwork.engines.workers.channel import Inbox, Outbox, make_frame
from lightwork.protocols import Call
from tests.unit.engines.processes.driving import batches, collect, open_session, results, running_engine, task

SIZES = (1, 2, 7, 1000)


@pytest.fixture(scope="module")
def engine() -> Iterator[ProcessEngine]:
    with running_engine() as engine:
        yield engine


def append(items: list[Any], value: Any) -> list[Any]:
    items.append(value)
    return items


def count_in(mapping: dict[Any, Any], key: Any) -> dict[Any, Any]:
    mapping[key] = mapping.get(key, 0) + 1
    return mapping


def draw(generator: Any) -> float:
    value: float = generator.random()
    return value


def add(array: Any, value: float) -> tuple[float, Any]:
    array += value
    return float(array.sum()), array


def same(one: Any, two: Any) -> bool:
    return one is two


class Counter:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self, step: int) -> int:
        self.count += step
        return self.count

    def up(self, step: int) -> int:
        self.count += step
        return self.count


def shared_cases() -> dict[str, Callable[[], Callable[[int], Call]]]:
    """For each kind of object: what makes tasks that all get the same one."""

    def over(shared: Any, make: Callable[[Any, int], Call]) -> Callable[[int], Call]:
        return lambda k: make(shared, k)

    return {
        "list": lambda: over([], lambda shared, k: task(append, shared, k)),
        "dict": lambda: over({}, lambda shared, k: task(count_in, shared, k % 3)),
        "small array": lambda: over(np.zeros(10), lambda shared, k: task(add, shared, k)),
        "large array": lambda: over(np.zeros(20_000), lambda shared, k: task(add, shared, k)),
        "generator": lambda: over(np.random.default_rng(3), lambda shared, k: task(draw, shared)),
        "random": lambda: over(random.Random(3), lambda shared, k: task(draw, shared)),
        "callable": lambda: over(Counter(), lambda shared, k: task(shared, k)),
        "method": lambda: over(Counter(), lambda shared, k: task(shared.up, k)),
        "identity": lambda: over([1], lambda shared, k: task(same, shared, shared)),
        "keyword": lambda: over([], lambda shared, k: task(append, items=shared, value=k)),
        "scalars": lambda: over(None, lambda shared, k: task(divmod, k, 7)),
    }


def comparable(values: list[Any]) -> list[Any]:
    return [
        tuple(item.tolist() if isinstance(item, np.ndarray) else item for item in value)
        if isinstance(value, tuple)
        else value
        for value in values
    ]


@pytest.mark.parametrize("kind", shared_cases())
def test_tasks_that_change_what_they_get_do_not_see_each_other(engine: ProcessEngine, kind: str) -> None:
    """Results are equal for batches of 1, 2, 7 and 1000 tasks that share an object."""
    found = []
    for size in SIZES:
        make = shared_cases()[kind]()
        found.append(comparable(results(engine, [make(k) for k in range(20)], size=size)))
    assert found[0] == found[1] == found[2] == found[3]


KEPT: dict[str, Any] = {
    "list": [0],
    "dict": {0: 0},
    "list in a tuple": ([0],),
    "small array": np.zeros(10),
    "array": np.zeros(3_000),
    "large array": np.zeros(20_000),
    "strided array": np.zeros((200, 200))[:, ::2],
    "bytearray": bytearray(1),
}


def refill(kind: str, value: int) -> Any:
    """Put a value into the one object of that kind that this process has, and return that."""
    kept = KEPT[kind]
    (kept[0] if isinstance(kept, tuple) else kept)[0] = value
    return kept


@pytest.mark.parametrize("kind", KEPT)
def test_a_result_stays_what_it_was_when_its_task_ended(engine: ProcessEngine, kind: str) -> None:
    """A task that returns the same object as the one before, changed, does not change that one's result."""
    for size in SIZES:
        values = results(engine, [task(refill, kind, k) for k in range(20)], size=size)
        first = [value[0][0] if isinstance(value, tuple) else value[0] for value in values]
        assert np.array(first).reshape(20, -1)[:, 0].tolist() == list(range(20))


RESULTS: list[Any] = [1, None, "text", (1, 2.0), (), ([1], 2), [1, 2], {"a": 1}, bytearray(b"b" * 100_000)]


def pick(index: int) -> Any:
    if index == len(RESULTS):
        raise KeyError(index)
    return RESULTS[index]


@settings(max_examples=60, deadline=None)
@given(picks=st.lists(st.integers(0, len(RESULTS)), min_size=1, max_size=20), size=st.sampled_from(SIZES))
def test_results_of_all_kinds_arrive_in_any_order(engine: ProcessEngine, picks: list[int], size: int) -> None:
    """Scalars, containers, large ones and failures of one batch each arrive under the index of their task."""
    session = open_session(engine, slots=2)
    for number, batch in enumerate(batches([task(pick, index) for index in picks], size)):
        session.send(number % 2, batch)
    found = collect(session, len(picks))
    session.close(abort=False)
    assert set(found.errors) == {k for k, index in enumerate(picks) if index == len(RESULTS)}
    for k, value in found.values.items():
        assert type(value) is type(RESULTS[picks[k]])
        assert value == RESULTS[picks[k]]


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
nested = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner))


def echo(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
    return args, kwargs


@settings(max_examples=60, deadline=None)
@given(
    arguments=st.lists(st.lists(nested, max_size=3) | st.lists(scalars, min_size=2, max_size=2), min_size=1),
    keywords=st.dictionaries(st.sampled_from(["a", "b"]), scalars),
    size=st.sampled_from(SIZES),
)
def test_arguments_and_results_arrive_as_they_are(
    engine: ProcessEngine, arguments: list[list[Any]], keywords: dict[str, Any], size: int
) -> None:
    """Whatever the way they travel, values and their types are kept."""
    calls = [task(echo, *values, **keywords) for values in arguments]
    values = results(engine, calls, size=size)
    assert repr(values) == repr([(tuple(given), keywords) for given in arguments])


frames = st.lists(
    st.tuples(
        st.binary(max_size=200) | st.just(b"x" * 300_000), st.lists(st.sampled_from([0, 1, 70_000, 400_000]))
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(messages=frames)
def test_frames_of_any_size_arrive_whole_and_in_order(messages: list[tuple[bytes, list[int]]]) -> None:
    """Small and large frames mixed, with any number of buffers, through full socket buffers."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    outbox, inbox = Outbox(ours), Inbox(theirs, takes_descriptors=False)
    with ours, theirs:
        for number, (body, sizes) in enumerate(messages):
            buffers = [memoryview(bytes([number]) * size) for size in sizes]
            outbox.put(make_frame(7, 3, body, start=-number, length=number, buffers=buffers))
        seen: list[tuple[int, bytes, list[bytes]]] = []
        while len(seen) < len(messages):
            outbox.flush()
            try:
                received = inbox.receive()
            except BlockingIOError:
                continue
            assert received is not None
            for frame in received:
                parts = [bytes(item) for item in frame.buffers if isinstance(item, memoryview)]
                seen.append((-frame.start, bytes(frame.body), parts))
    assert seen == [
        (number, body, [bytes([number]) * size for size in sizes])
        for number, (body, sizes) in enumerate(messages)
    ]
