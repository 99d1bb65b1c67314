"""Randomness that depends on the seed and the task alone: not on workers, batches, order or attempts.

The generator of task `i` is ``numpy.random.default_rng(SeedSequence(seed, spawn_key=(i,)))``, the one that
``SeedSequence(seed).spawn(n)[i]`` gives, found without making those before it. `global_seeding` does the same
for what is global.
"""

import random
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from ..errors import ParallelError
from ..protocols import Call, Run, Tell
from ..system.computing import COMPUTING
from ..system.optional import installed
from .task import nesting_level

if TYPE_CHECKING:
    import numpy

__all__ = ["Seeding", "digest", "has_stream", "task_rng"]


class _Stream:
    """The randomness of one task."""

    __slots__ = ("computing", "generator", "index", "level", "seed")

    def __init__(self, seed: int, index: int, level: int) -> None:
        self.seed = seed
        self.index = index
        self.level = level
        self.computing = COMPUTING.get()
        self.generator: Any = None  # Any: as `_generator` makes it, when it is asked for


_STREAM: ContextVar[_Stream | None] = ContextVar("lightwork_stream", default=None)


def task_rng() -> "numpy.random.Generator":
    """The random generator of the running task of a ``Parallel(seed=...)`` call.

    It is the same for the same seed and the same place in the input, whatever `n_jobs`, `batch_size` and
    `backend` are, and after a retry. A task that asks twice gets one object, so its stream goes on.

    Returns
    -------
    numpy.random.Generator
        Without numpy, a `random.Random`.

    Raises
    ------
    ParallelError
        The running code is in no task of a call with a seed, or in a thread that such a task has started
        (pass the generator on). It never falls back to an unseeded one, which would look the same and give
        other numbers each time. Nor is there one in a cached function, whose result would be kept for all
        tasks and all seeds.
    """
    stream = _STREAM.get()
    # The tasks of a call that a task makes run in copies of its context, one level deeper.
    if stream is None or stream.level != nesting_level():
        raise ParallelError(
            "task_rng() is for tasks of Parallel(seed=...), and there is no seed here: give one to the call "
            "that runs this code (inside of a seeded task: seed=int(task_rng().integers(2**63)))"
        )
    if COMPUTING.get() != stream.computing:
        raise ParallelError(
            "task_rng() in a cached function: what it draws would be kept, and be the same for all tasks and "
            "seeds. Give that function a seed as an argument: int(task_rng().integers(2**63)) in the task"
        )
    if stream.generator is None:
        stream.generator = _generator(stream.seed, stream.index)
    generator: numpy.random.Generator = stream.generator
    return generator


def has_stream() -> bool:
    """Whether `task_rng` gives a generator here."""
    stream = _STREAM.get()
    return stream is not None and stream.level == nesting_level()


class Seeding:
    """`task_rng` for each task; without a seed none has it. A `Layer`."""

    __slots__ = ("_seed",)

    def __init__(self, seed: int | None) -> None:
        self._seed = seed

    def enter(self, inner: Run, tell: Tell) -> Run:
        """What runs a task with a stream of its own around `inner`."""
        seed, level = self._seed, nesting_level()

        def run(index: int, call: Call) -> Any:  # Any: the result of the user's function
            before = _STREAM.set(None if seed is None else _Stream(seed, index, level))
            try:
                return inner(index, call)
            finally:
                _STREAM.reset(before)

        return run

    def leave(self) -> None:
        """Nothing is left behind after a task."""


def digest(seed: int, index: int) -> bytes:
    """32 bytes for task `index`, for generators that are not made from a `SeedSequence`."""
    return blake3(f"lightwork task {seed} {index}".encode()).digest()


def _generator(seed: int, index: int) -> Any:  # Any: as in `task_rng`
    numpy_random: Any = installed("numpy.random")  # Any: may not be installed
    if numpy_random is None:
        return random.Random(int.from_bytes(digest(seed, index)))
    return numpy_random.default_rng(numpy_random.SeedSequence(seed, spawn_key=(index,)))
