"""Results that are known before a task is sent: of kept calls, and of functions that remember.

::

    input ──► ask ──► known results ─────────────────► emitted in their places
               └────► calls that are left ──► workers ──► keep

The flow hears of what is known when tasks arrive; nothing of it is sent, so that a call whose results are all
known starts no worker.
"""

import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, Protocol

from ..protocols import Call, Known, StatelessCallable, SupportsRecall
from .failures import not_a_call
from .task import Resumed

__all__ = ["Answers", "CachedCalls", "Recall", "asked", "read"]


class Recall(Protocol):
    """Somebody who may know results. Used by the driving thread alone."""

    def ask(self, index: int, call: Call) -> "Known | Call":
        """The result of a task, or the call to send. Called once for each task, in the order of the input."""

    def keep(self, start: int, values: Sequence[Any], seconds: float) -> None:
        """The results of tasks that were sent, `start` and those that follow it; what they took together."""


class Answers(NamedTuple):
    """Tasks that were read."""

    calls: Sequence[Call]
    """One for each; those of known results are not to be sent."""

    known: Sequence[tuple[int, list[Any]]]  # Any: what users' functions return
    """Ranges of known results in order: the index of the first, and the values."""

    exhausted: bool
    """Whether there are no more."""


def read(
    recall: Recall, tasks: Iterator[Call], start: int, *, count: int, least: int, most: int, until: float
) -> Answers:
    """Read tasks and ask for each, until `count` of them are not known, or `most` were read.

    Also until a time (`time.monotonic`), if at least `least` were read by then.

    Raises
    ------
    TypeError
        A task is no call.
    """
    calls, known, unknown, stop = list[Call](), list[tuple[int, list[Any]]](), 0, -1
    for index, call in enumerate(islice(tasks, most), start):
        answer = asked(recall, index, call)
        if type(answer) is Known:
            calls.append(_NO_CALL)
            if index == stop:
                known[-1][1].append(answer.value)
            else:
                known.append((index, [answer.value]))
            stop = index + 1
        else:
            calls.append(answer)  # type: ignore[arg-type]  # the only kind that is left
            unknown += 1
        if unknown == count or (len(calls) >= least and time.monotonic() > until):
            return Answers(calls, known, False)
    return Answers(calls, known, len(calls) < most)


def asked(recall: Recall, index: int, call: Any) -> "Known | Call":  # Any: not looked at yet
    """What is known of a task. Raises `TypeError` if it is no call."""
    if not isinstance(call, tuple) or len(call) != 3:
        raise not_a_call(index, call)
    return recall.ask(index, call)


class CachedCalls:
    """Asks functions that remember their results (`SupportsRecall`), before their calls are sent.

    What a function says of a call that it does not know travels with the call; that of a method as the
    function behind it, with the object in front of the arguments. A `Recall`.
    """

    def __init__(self) -> None:
        self._kind: type = type(None)  # of the function that was asked last
        self._knows = False
        self._resumed: dict[int, Resumed] = {}  # by the id of the function, which it holds

    def can_tell(self, call: Call) -> bool:
        """Whether the function of a call is one to ask."""
        kind = type(call[0])
        if kind is not self._kind:
            self._kind, self._knows = kind, issubclass(kind, SupportsRecall)
        return self._knows

    def ask(self, index: int, call: Call) -> "Known | Call":
        """Ask the function. One that fails to answer knows nothing: the task will meet the same error."""
        if not self.can_tell(call):
            return call
        function: Any = call[0]  # Any: a `SupportsRecall`
        args, kwargs = call[1:]
        try:
            answer: object = function.recall(args, kwargs)
            if isinstance(answer, Known):
                return answer
            if not issubclass(self._kind, StatelessCallable):
                # The object travels with each task, so that none sees what another did to it.
                function, args = function.__func__, (function.__self__, *args)
            resumed = None if answer is None else self._resume(function)
        except Exception:  # noqa: BLE001 - users' rules and keys; the error is raised by the task, as its own
            return call
        return call if resumed is None else (resumed, (answer, *args), kwargs)

    def _resume(self, function: SupportsRecall) -> Resumed:
        resumed = self._resumed.get(id(function))
        if resumed is None:
            resumed = self._resumed[id(function)] = Resumed(function, function.basis())
        return resumed

    def keep(self, start: int, values: Sequence[Any], seconds: float) -> None:
        """The functions keep their results themselves."""


def _nothing() -> None:
    """Stands for a call that is not made."""


_NO_CALL: Call = (_nothing, (), {})
