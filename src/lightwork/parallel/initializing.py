"""What a call does once in each worker, before the first task that it gets: imports, and the initializer.

Workers import this module when a call has one.
"""

import pickle
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from ..errors import EngineError, RemoteTraceback
from ..parcel.parcels import join, split
from ..protocols import Buffer, Call, Run, Tell
from ..system.optional import imported, loaded

__all__ = ["Broken", "Initializer", "Preload", "RemoteInitializer"]


class Broken:
    """A worker cannot begin: what it tells of that. To another process the error travels as it can."""

    def __init__(self, error: BaseException, title: str) -> None:
        """`title` is what has failed with the error."""
        self.error = error
        self.title = title

    def __reduce__(self) -> tuple[object, ...]:
        text = "".join(traceback.format_exception(self.error))
        try:
            parcel = split(self.error, by_value=True, path="error")
            buffers = [bytearray(buffer) for buffer in parcel.buffers]
            join(parcel.skeleton, buffers)  # many exceptions can be pickled and not be built again
        except Exception:  # noqa: BLE001 - users' code; the text goes instead
            return _rebuild, (None, [], text, self.title)
        return _rebuild, (parcel.skeleton, buffers, text, self.title)


def _rebuild(skeleton: bytes | None, buffers: list[bytearray], text: str, title: str) -> Broken:
    error: BaseException | None = None
    if skeleton is not None:
        try:
            error = join(skeleton, buffers)
        except Exception:  # noqa: BLE001 - users' code; the text must do
            error = None
    if not isinstance(error, BaseException):
        error = EngineError(f"{title} of the workers raised {text.splitlines()[-1]}")
    error.__cause__ = RemoteTraceback(text)
    return Broken(error, title)


def _refuse(index: int, call: Call) -> NoReturn:
    """Stands for what runs tasks until the call has heard that it is at its end."""
    raise EngineError("this worker could not be prepared")


def _call(function: Callable[..., object], args: Sequence[Any]) -> None:  # Any: as in `Initializer`
    sharing = loaded("lightwork.parallel.sharing")  # without it there are no handles
    function(*(args if sharing is None else sharing.resolved(tuple(args))))


class Initializer:
    """Runs in each thread of a call, or in the caller's own."""

    def __init__(
        self,
        function: Callable[..., object],
        args: Sequence[Any],  # Any: arguments of the user's function
        title: str = "initializer",
    ) -> None:
        self._function = function
        self._args = tuple(args)
        self._title = title

    def enter(self, inner: Run, tell: Tell) -> Run:
        """Run it; tell if it fails, which ends the call."""
        try:
            _call(self._function, self._args)
        except BaseException as error:  # noqa: BLE001 - whatever it raises is the error of the call
            tell(0, Broken(error, self._title))
            return _refuse
        return inner

    def leave(self) -> None:
        """Nothing to undo: what it has set up is for all tasks of the worker."""


class Preload:
    """Imports modules where the tasks will run; what is there already is not imported again.

    Each worker does it, at the same time as the others, and not the template that they are forked from: an
    import may start threads, open files and draw random numbers, which forked workers would share or lose.
    """

    __slots__ = ("_names",)

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)

    def enter(self, inner: Run, tell: Tell) -> Run:
        """Import them; tell if one cannot be, which ends the call."""
        for name in self._names:
            try:
                imported(name)
            except BaseException as error:  # noqa: BLE001 - as above
                tell(0, Broken(error, f"preload={name!r}"))
                return _refuse
        return inner

    def leave(self) -> None:
        """As that of `Initializer`."""


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
                tell(0, Broken(error, self.title))
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
