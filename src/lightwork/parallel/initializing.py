"""The initializer of a call: run once in each worker, before the first task of the call that it gets.

Workers import this module when a call has one.
"""

import pickle
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from ..errors import EngineError, RemoteTraceback
from ..parcel.parcels import join, split
from ..protocols import Buffer, Call, Run, Tell
from ..system.optional import loaded

__all__ = ["Broken", "Initializer", "RemoteInitializer"]


class Broken:
    """The initializer failed: what a worker tells of it. To another process the error travels as it can."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self) -> tuple[object, ...]:
        text = "".join(traceback.format_exception(self.error))
        try:
            parcel = split(self.error, by_value=True, path="error")
            buffers = [bytearray(buffer) for buffer in parcel.buffers]
            join(parcel.skeleton, buffers)  # many exceptions can be pickled and not be built again
        except Exception:  # noqa: BLE001 - users' code; the text goes instead
            return _rebuild, (None, [], text)
        return _rebuild, (parcel.skeleton, buffers, text)


def _rebuild(skeleton: bytes | None, buffers: list[bytearray], text: str) -> Broken:
    error: BaseException | None = None
    if skeleton is not None:
        try:
            error = join(skeleton, buffers)
        except Exception:  # noqa: BLE001 - users' code; the text must do
            error = None
    if not isinstance(error, BaseException):
        error = EngineError(f"the initializer of the workers raised {text.splitlines()[-1]}")
    error.__cause__ = RemoteTraceback(text)
    return Broken(error)


def _refuse(index: int, call: Call) -> NoReturn:
    """Stands for what runs tasks until the call has heard that it is at its end."""
    raise EngineError("the initializer of this worker failed")


def _call(function: Callable[..., object], args: Sequence[Any]) -> None:  # Any: as in `Initializer`
    sharing = loaded("lightwork.parallel.sharing")  # without it there are no handles
    function(*(args if sharing is None else sharing.resolved(tuple(args))))


class Initializer:
    """Runs in each thread of a call, or in the caller's own."""

    def __init__(
        self,
        function: Callable[..., object],
        args: Sequence[Any],  # Any: arguments of the user's function
    ) -> None:
        self._function = function
        self._args = tuple(args)

    def enter(self, inner: Run, tell: Tell) -> Run:
        """Run it; tell if it fails, which ends the call."""
        try:
            _call(self._function, self._args)
        except BaseException as error:  # noqa: BLE001 - whatever it raises is the error of the call
            tell(0, Broken(error))
            return _refuse
        return inner

    def leave(self) -> None:
        """Nothing to undo: what it has set up is for all tasks of the worker."""


class RemoteInitializer:
    """Runs in each worker process, and not again in one where the last call had the same one.

    It travels as bytes, so that a worker can tell whether it is the same, and need not rebuild it if so. To
    a worker that has had it the digest alone need travel.
    """

    def __init__(
        self, skeleton: bytes | None, buffers: Sequence[Buffer], digest: bytes, title: str = "initializer"
    ) -> None:
        self._skeleton = skeleton
        self._buffers = buffers
        self.digest = digest
        self.title = title

    def __reduce__(self) -> tuple[object, ...]:
        buffers = [pickle.PickleBuffer(buffer) for buffer in self._buffers]
        return RemoteInitializer, (self._skeleton, buffers, self.digest, self.title)

    def without_load(self) -> "RemoteInitializer":
        """The same for workers in which it was the last one to run, and ended well."""
        return RemoteInitializer(None, (), self.digest, self.title)

    def enter(self, inner: Run, tell: Tell) -> Run:
        """As that of `Initializer`."""
        if LAST.digest != self.digest:
            LAST.digest = b""
            try:
                self._run()
            except BaseException as error:  # noqa: BLE001 - as above
                tell(0, Broken(error))
                return _refuse
            LAST.digest = self.digest
        return inner

    def _run(self) -> None:
        if self._skeleton is None:
            raise EngineError(f"{self.title} was not sent to a worker that has not run it")
        # The function may change its arguments, as it may where nothing travels.
        buffers = [bytearray(data) if memoryview(data).readonly else data for data in self._buffers]
        function, args = join(self._skeleton, buffers)
        _call(function, args)

    def leave(self) -> None:
        """As that of `Initializer`."""


class Last:
    """Which initializer has run last in this process. One thread uses it, that of the worker."""

    def __init__(self) -> None:
        self.digest = b""


LAST = Last()
