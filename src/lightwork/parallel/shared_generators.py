"""One random generator for several tasks is a mistake: processes get copies, so all have the same numbers."""

from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, Final

from ..errors import InvalidOption
from ..protocols import Call
from ..system.optional import require
from .driver import Examine

__all__ = ["refusal"]

_LOOKED_AT: Final = 1_000
"""Tasks of a call."""

_positional = itemgetter(1)
_keywords = itemgetter(2)


def refusal() -> Examine:
    """What refuses a `numpy.random.Generator` or ``RandomState`` that is an argument of two tasks of a call.

    Only the first 1,000 tasks are looked at: a loop that shares a generator does so from the start, and a
    look takes 40 ns, a tenth of what a task in a thread does.
    """
    random: Any = require(
        "numpy.random", purpose="looking for its generators", extra="numpy"
    )  # Any: optional
    kinds = {random.Generator, random.RandomState}
    seen: dict[int, tuple[int, Any]] = {}  # Any: a generator, kept so that nothing else gets its `id`

    def check(calls: Sequence[Call], start: int) -> None:
        if start >= _LOOKED_AT:
            return
        calls = calls[: _LOOKED_AT - start]
        arguments = chain.from_iterable(map(_positional, calls))
        if kinds.isdisjoint(map(type, arguments)) and not any(map(_keywords, calls)):
            return
        for index, (_, args, keywords) in enumerate(calls, start):
            # Once for each: a task may use one generator in two places.
            for value in {id(value): value for value in (*args, *keywords.values())}.values():
                if type(value) in kinds:
                    first, _ = seen.setdefault(id(value), (index, value))
                    if first != index:
                        raise _refused(first, index, value)

    return check


def _refused(first: int, second: int, generator: Any) -> InvalidOption:  # Any: of an optional library
    return InvalidOption(
        f"tasks {first} and {second} got the same {type(generator).__name__}: their random numbers would be "
        "the same, or depend on the order in which they run. Give the call a seed, Parallel(seed=...), and "
        "ask task_rng() in the function; or give each task its own (rng.spawn(n)). For the same numbers in "
        "each task, give each copy.deepcopy(rng)"
    )
