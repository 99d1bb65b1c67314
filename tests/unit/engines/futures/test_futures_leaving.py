"""Results that stay with the workers, without any workers."""

from collections.abc import Sequence

import numpy as np
import pytest

from lightwork.engines.futures.leaving import part
from lightwork.engines.futures.packets import Answer, Apart, Left, Posted
from lightwork.engines.futures.packing import RemotePacker
from lightwork.engines.workers.wire import TOLD
from lightwork.protocols import Batch, Call, Done, Event, Failed, SessionRequest, Told, Unfetched
from lightwork.testing.engines import PlainRunner

LARGE = 1 << 18  # numbers, 2 MiB


class _Halves:
    """A batch that was run here, and of which the large half was left out."""

    def __init__(self, calls: Sequence[Call], *, timed: bool = False) -> None:
        packer = RemotePacker(SessionRequest(1, PlainRunner(), None, {}, timed))
        (load,) = packer.pack(0, Batch(5, calls)).loads
        self.whole: Answer = load.function(*load.args)
        self.answer, self.left = part(self.whole)
        self.brought = 0
        self.events: Sequence[Event] = packer.unpack(0, Apart(self.answer, self._bring))

    def _bring(self) -> Sequence[Posted]:
        self.brought += 1
        assert self.left is not None
        return self.left


def test_small_answers_are_whole() -> None:
    """Nothing is left out, and nothing is brought."""
    halves = _Halves([(len, ("ab",), {}), (np.ones, (10,), {})])
    assert halves.left is None
    assert halves.answer == halves.whole
    assert {type(event) for event in halves.events} == {Done}


def test_a_large_frame_is_known_before_it_is_here() -> None:
    """Its tasks are done, in so much time, and of about so many bytes."""
    halves = _Halves([(np.ones, (LARGE,), {})] * 2, timed=True)
    assert any(isinstance(frame, Left) for frame in halves.answer.frames)
    (done,) = halves.events
    assert isinstance(done, Done)
    assert (done.start, len(done.values)) == (5, 2)
    assert done.seconds > 0
    assert done.ends is not None
    assert len(done.ends) == 2
    for value in done.values:
        assert isinstance(value, Unfetched)
        assert 8 * LARGE <= value.nbytes < 9 * LARGE
    assert halves.brought == 0


def test_results_are_brought_once_and_given_once() -> None:
    """In whatever order they are asked for; and nothing here keeps what was given."""
    halves = _Halves([(np.full, (LARGE, float(i)), {}) for i in range(3)])
    (done,) = halves.events
    assert isinstance(done, Done)
    for i in (2, 0, 1):
        assert done.values[i].fetch()[-1] == i
        with pytest.raises(KeyError):
            done.values[i].fetch()
    assert halves.brought == 1


def _refuse() -> object:
    raise LookupError("not here")


class _Stubborn:
    """Is as large as it likes, and is not rebuilt anywhere."""

    def __reduce__(self) -> tuple[object, ...]:
        return _refuse, (), {"load": b"l" * (2 << 20)}


def test_what_cannot_be_rebuilt_fails_alone() -> None:
    """With an error that names the task; the others of its batch are given."""
    halves = _Halves([(np.ones, (LARGE,), {}), (_Stubborn, (), {}), (np.zeros, (LARGE,), {})])
    values = [value for event in halves.events if isinstance(event, Done) for value in event.values]
    assert values[0].fetch()[0] == 1
    with pytest.raises(Exception, match="task 6: its result cannot be rebuilt here: LookupError: not here"):
        values[1].fetch()
    assert values[2].fetch()[0] == 0


def test_failures_and_words_are_never_left() -> None:
    """Whoever decides what to do about a failure has to know of it."""
    halves = _Halves([(np.ones, (LARGE,), {}), (_refuse, (), {})])
    assert [type(event) for event in halves.events] == [Done, Failed]
    told = Posted(TOLD, 0, 5, 0, b"w" * (2 << 20), ())
    assert part(Answer([told], "")) == (Answer([told], ""), None)
    assert Told not in {type(event) for event in halves.events}


def test_what_does_not_come_is_asked_for_again() -> None:
    """Who asks gets the error, each time."""
    halves = _Halves([(np.ones, (LARGE,), {})])
    (done,) = halves.events
    assert isinstance(done, Done)
    left, halves.left = halves.left, None
    with pytest.raises(AssertionError):
        done.values[0].fetch()
    halves.left = left
    assert done.values[0].fetch()[0] == 1
    assert halves.brought == 2
