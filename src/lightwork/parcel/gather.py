"""Chosen elements of an array that lies in a file, read from as few places as can be.

The positions are taken axis by axis, the slowest first. Elements that lie in a row are read right into their
places. Others are read through windows of at most 1 MiB, from the first wanted byte to the last: whatever the
steps, no block is read that holds nothing wanted, and no more than a window per thread is held.
"""

from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from typing import Any, NamedTuple

from ..arrays.selection import Positions
from ..system.optional import loaded
from .jobs import Jobs
from .layout import CHUNK
from .segments import Segments

# Any: arrays and dtypes of a library that may not be installed.
__all__ = ["gather"]


def gather(
    segments: Segments,
    number: int,
    offset: int,
    *,
    shape: Sequence[int],
    dtype: Any,
    order: str,
    positions: Sequence[Positions],
) -> Any:
    """The elements at `positions` of an array of this shape, dtype and order, as an array in that order.

    Parameters
    ----------
    segments, number, offset
        The array begins at byte `offset` of buffer `number`.
    positions
        For each axis, ascending and each once.

    Raises
    ------
    CorruptFileError
        A block or piece that holds some of them does not match its checksum.
    """
    if order == "F":
        shape, positions = shape[::-1], positions[::-1]
    box = loaded("numpy").empty([len(taken) for taken in positions], dtype)
    if box.size:
        steps = [*accumulate(reversed(shape[1:]), lambda left, right: left * right, initial=dtype.itemsize)]
        axes = [_Axis(*axis) for axis in zip(positions, shape, reversed(steps), strict=False)]
        with Jobs() as jobs:
            _Gatherer(segments, number, jobs).take(axes, offset, box)
    return box.T if order == "F" else box


class _Axis(NamedTuple):
    """One axis of the array, the slowest first."""

    positions: Positions
    length: int
    step: int
    """Bytes from one position to the next."""

    @property
    def is_whole(self) -> bool:
        """Whether all positions are wanted."""
        return len(self.positions) == self.length

    @property
    def is_run(self) -> bool:
        """Whether the wanted positions follow each other."""
        return bool(self.positions[-1] - self.positions[0] + 1 == len(self.positions))


class _Gatherer:
    """Fills an array with elements of a buffer."""

    def __init__(self, segments: Segments, number: int, jobs: Jobs) -> None:
        self._segments = segments
        self._number = number
        self._jobs = jobs

    def take(self, axes: Sequence[_Axis], start: int, out: Any) -> None:
        """Fill `out` from the array with these axes that begins at byte `start`."""
        if not axes or (axes[0].is_run and all(axis.is_whole for axis in axes[1:])):
            first = start + (int(axes[0].positions[0]) * axes[0].step if axes else 0)
            self._segments.add_reads(self._jobs, self._number, first, _bytes_of(out))
            return
        positions, _, step = axes[0]
        if step > CHUNK and len(axes) > 1:
            for place, position in enumerate(positions):
                self.take(axes[1:], start + int(position) * step, out[place])
            return
        begin = 0
        while begin < len(positions):
            end = _end_of_window(positions, begin, max(1, CHUNK // step))
            window = [axes[0]._replace(positions=positions[begin:end]), *axes[1:]]
            self._add_window(window, start, out[begin:end])
            begin = end

    def _add_window(self, axes: Sequence[_Axis], start: int, out: Any) -> None:
        first = start + sum(int(axis.positions[0]) * axis.step for axis in axes)
        nbytes = sum(int(axis.positions[-1] - axis.positions[0]) * axis.step for axis in axes)
        job = partial(self._through_window, axes, first, nbytes + out.dtype.itemsize, out)
        self._jobs.add(job, max(nbytes, CHUNK))  # a block is decoded for it, however little is wanted

    def _through_window(self, axes: Sequence[_Axis], first: int, nbytes: int, out: Any) -> None:
        window = bytearray(nbytes)
        self._segments.read(self._number, first, memoryview(window))
        lengths = [int(axis.positions[-1] - axis.positions[0]) + 1 for axis in axes]
        seen = loaded("numpy").ndarray(lengths, out.dtype, window, 0, [axis.step for axis in axes])
        out[...] = seen[tuple(_within(axis.positions) for axis in axes)]


def _bytes_of(out: Any) -> memoryview:
    view: memoryview = out.reshape(-1).view("u1").data
    return view


def _end_of_window(positions: Positions, begin: int, width: int) -> int:
    """The end of the positions from `begin` on that lie within `width` of each other."""
    if isinstance(positions, range):
        return min(len(positions), begin + max(1, width // positions.step))
    return int(positions.searchsorted(positions[begin] + width))


def _within(positions: Positions) -> Any:
    """The same positions, counted from the first of them."""
    return slice(None, None, positions.step) if isinstance(positions, range) else positions - positions[0]
