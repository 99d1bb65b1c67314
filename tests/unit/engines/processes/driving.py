"""Drives sessions of the process engine directly, as the smallest possible driver would."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from lightwork.engines.processes import ProcessEngine
from lightwork.engines.processes.session import ProcessSession
from lightwork.protocols import Batch, Call, Done, Event, Failed, Lost, Returned, Run, SessionRequest, Tell

PATIENCE = 20.0
"""Seconds without any event after which a test fails."""


class PlainRunner:
    """Runs calls as they are."""

    def start(self, tell: Tell) -> Run:
        return self.run

    def run(self, index: int, call: Call) -> Any:  # Any: what users' functions return
        function, arguments, keywords = call
        return function(*arguments, **keywords)

    def stop(self) -> None:
        pass


class Collected(NamedTuple):
    """What became of tasks, by index."""

    values: dict[int, Any]  # Any: what users' functions return
    errors: dict[int, BaseException]
    losses: list[Lost]
    returned: list[Returned]


def task(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Call:
    """One call, as `delayed` makes it."""
    return function, args, kwargs


def batches(calls: Sequence[Call], size: int) -> list[Batch]:
    """Calls in batches of at most `size`."""
    return [Batch(start, calls[start : start + size]) for start in range(0, len(calls), size)]


@contextlib.contextmanager
def running_engine() -> Iterator[ProcessEngine]:
    """An engine of its own, ended at the end."""
    engine = ProcessEngine()
    try:
        yield engine
    finally:
        engine.shutdown()


def open_session(
    engine: ProcessEngine,
    *,
    slots: int = 1,
    inner_threads: int | None = None,
    runner: Any = None,  # Any: a Runner
    **options: Any,
) -> ProcessSession:
    """A session with a plain runner."""
    return engine.open(SessionRequest(slots, runner or PlainRunner(), inner_threads, options))


def collect(session: ProcessSession, count: int) -> Collected:
    """Wait until `count` tasks are reported; what became of them."""
    found = Collected({}, {}, [], [])
    while len(found.values) + len(found.errors) + len(found.losses) < count:
        events = session.wait(PATIENCE)
        assert events, f"nothing happened for {PATIENCE} seconds"
        for event in events:
            sort_in(found, event)
    return found


def sort_in(found: Collected, event: Event) -> None:
    """Put an event where it belongs; no task may be reported twice."""
    if isinstance(event, Done):
        for index, value in enumerate(event.values, event.start):
            assert index not in found.values
            found.values[index] = value
    elif isinstance(event, Failed):
        assert event.index not in found.errors
        found.errors[event.index] = event.error
    elif isinstance(event, Lost):
        found.losses.append(event)
    elif isinstance(event, Returned):
        found.returned.append(event)


def results(engine: ProcessEngine, calls: Sequence[Call], *, size: int = 1, slots: int = 2) -> list[Any]:
    """The results of all calls in order; raises the first error."""
    session = open_session(engine, slots=slots)
    try:
        for number, batch in enumerate(batches(calls, size)):
            session.send(number % slots, batch)
        found = collect(session, len(calls))
    except BaseException:
        session.close(abort=True)
        raise
    session.close(abort=False)
    for index in sorted(found.errors):
        raise found.errors[index]
    assert not found.losses
    return [found.values[index] for index in range(len(calls))]
