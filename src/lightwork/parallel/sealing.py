"""A call as bytes, which are what it was when it was submitted, whatever becomes of its arguments.

Workers of executors import this module. In a call of `Parallel` arguments are known again, so that what
many tasks share travels once; that holds for as long as nobody changes them, which an executor, open for
hours, cannot ask for. It compares them with what calls under way have.
"""

import pickle
from typing import Any

from ..arrays.sightings import SHARED_FROM
from ..arrays.snapshots import Snapshots
from ..errors import UnpicklableError
from ..parcel.parcels import join, split
from ..protocols import Buffer, Call, Run, Tell
from ..system.segments import PublishedMap

__all__ = ["Unsealing", "seal"]


def seal(call: Call, snapshots: Snapshots) -> Call:
    """The call as one of bytes, for runners that have `Unsealing`. Large ones come from `snapshots`.

    Raises
    ------
    UnpicklableError
        A part of it cannot be pickled; the message names it.
    """
    function, args, kwargs = call
    try:
        parcel = split(call, by_value=True, path="call")
    except UnpicklableError as error:
        raise _named(function, args, kwargs, error) from error
    return _sealed, (parcel.skeleton, *(_kept(buffer, snapshots) for buffer in parcel.buffers)), {}


def _named(
    function: object, args: tuple[Any, ...], kwargs: dict[str, Any], error: UnpicklableError
) -> UnpicklableError:
    """The error that calls the parts of a call what users call them."""
    for name, part in {"function": function, "args": args, **kwargs}.items():
        try:
            split(part, by_value=True, path=name)
        except UnpicklableError as named:
            return named
    return error


def _kept(buffer: memoryview, snapshots: Snapshots) -> pickle.PickleBuffer | bytearray:
    """The bytes as they are now: large ones beside the call, where ``mmap_mode="r"`` finds them.

    What `share` has published cannot change, and sessions know it again.
    """
    if isinstance(buffer.obj, PublishedMap):
        return pickle.PickleBuffer(buffer.obj)
    if buffer.nbytes < SHARED_FROM:
        return bytearray(buffer)
    return pickle.PickleBuffer(snapshots.take(buffer))


def _sealed(skeleton: bytes, *buffers: Buffer) -> Call:
    """The call, rebuilt."""
    call: Call = join(skeleton, buffers)
    return call


class Unsealing:
    """A `Layer` that rebuilds calls. It must be the outermost: the others know nothing of seals."""

    __slots__ = ()

    def enter(self, inner: Run, tell: Tell) -> Run:
        """What runs a sealed call."""

        def run(index: int, call: Call) -> Any:  # Any: the result of the user's function
            rebuild, parts, _ = call
            try:
                call = rebuild(*parts)
            except Exception as error:  # users' code
                raise UnpicklableError(
                    f"call {index} cannot be rebuilt in the worker: {type(error).__name__}: {error}"
                ) from error
            return inner(index, call)

        return run

    def leave(self) -> None:
        """Nothing was changed."""
