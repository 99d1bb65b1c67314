"""``save_failures=``: a task that failed for good, in a file of its own, from which it can be run again.

A capsule is a file of `dump`'s format that holds a plain dictionary: texts and numbers about the failure,
and in bytes the parcels of the task and of its error. So everything but those two can be read where they
cannot be built. `load` gives the dictionary, `read_capsule` what it means, ``lightwork replay`` runs it.
"""

import io
import os
import pickle
import sys
import time
import traceback
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .. import parallel, parcel
from .._version import __version__
from ..errors import FileFormatError, ParallelWarning, RemoteTraceback, UnknownFormatError, UnpicklableError
from ..protocols import Call
from ..system.atomic import atomic_writer
from ..system.optional import loaded
from .failures import add_note, describe
from .task import Resumed

__all__ = ["Capsule", "Capsules", "message_of", "read_capsule"]

_FORMAT = "lightwork capsule 1"

_MOST = 100
"""Capsules of one call: a call whose every task fails shall not fill the disk with its input."""

_PACKAGES = ("numpy", "scipy", "pandas", "polars", "sklearn", "torch")
"""Packages whose versions are noted if they are loaded."""

Packed = dict[str, Any]  # Any: a parcel as builtin values


class Capsule(NamedTuple):
    """A task that failed, as it is kept."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    """Place of the task in the input, from 0."""

    call: str
    """The call in a few words, as in the note of its error."""

    error: str
    """Type and message."""

    traceback: str
    """Where it was raised, in the worker if it was raised there."""

    written: float
    """Seconds since the epoch."""

    versions: Mapping[str, str]
    """Of Python, lightwork and the packages that were loaded."""

    seed: int | None
    """``seed=`` of the call."""

    folders: tuple[str, ...]
    """Where modules were looked for: the working directory, and the folder of the script."""

    parcels: Mapping[str, Packed]
    """The task, and its error if that could be pickled."""

    def task(self) -> Call:
        """Function, positional and named arguments, built anew. Raises what unpickling them raises."""
        call: Call = _unpacked(self.parcels["task"])
        return call

    def exception(self) -> BaseException | None:
        """The error itself; ``None`` if it could not be kept. Unpickles it, and raises what that raises."""
        packed = self.parcels.get("error")
        error: BaseException | None = None if packed is None else _unpacked(packed)
        return error

    def run(self, task: "Call | None" = None) -> Any:  # Any: of users' functions
        """Run the task here and now, with the random numbers that it had. Its error passes through.

        Parameters
        ----------
        task
            What `task` gave, if it was asked before.
        """
        features, call = parallel.features, self.task() if task is None else task
        around = features.around(features.HERE, False, self.seed)
        with parallel.around.entered(around, parallel.cancelling.Switch()) as run:
            return run(self.index, call)


class Capsules:
    """Keeps the failed tasks of one call. Nothing that goes wrong here ends it: one warning tells.

    Parameters
    ----------
    folder
        Where they are kept; made for the first of them.
    seed
        That of the call.
    """

    def __init__(self, folder: str, seed: int | None) -> None:
        self._folder = folder
        self._seed = seed
        self._count = 0
        self._warned = False

    def save(self, index: int, call: Call, error: BaseException) -> None:
        """Keep a task that has failed with `error`, which gets a note that tells where."""
        if self._count == _MOST:
            self._warn(f"more than {_MOST} tasks failed: the others are not kept in {self._folder!r}")
        self._count += 1
        if self._count > _MOST:
            return
        stamp = time.strftime("%Y%m%d-%H%M%S")
        path = os.path.join(self._folder, f"{stamp}-task-{index}-{os.urandom(3).hex()}.lw")
        try:
            document = _document(index, call, error, self._seed)
            os.makedirs(self._folder, exist_ok=True)
            with atomic_writer(path) as file:
                parcel.writer.write(document, file)
        except (
            UnpicklableError,
            OSError,
            ValueError,
            MemoryError,
        ) as problem:  # ValueError: a closed `share`
            self._warn(f"save_failures: task {index} failed, and cannot be kept: {problem}")
        else:
            add_note(error, f"kept for `lightwork replay {path}`")

    def _warn(self, message: str) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(message, ParallelWarning, stacklevel=2)


def read_capsule(path: str | os.PathLike[str]) -> Capsule:
    """What is in a capsule. Its task is not unpickled.

    Raises
    ------
    UnknownFormatError
        It is no capsule.
    CorruptFileError, OSError
        It is damaged; it cannot be read.
    """
    name = os.fspath(path)
    try:
        with open(name, "rb", buffering=0) as file:
            content = parcel.reader.read(parcel.inputs.FileInput(file.fileno()))
    except FileFormatError as exc:
        raise type(exc)(f"cannot read {name!r}: {exc}") from exc
    is_one = _FORMAT.encode() in content.skeleton[:200]
    document: Any = _plain(content) if is_one else None
    if not isinstance(document, dict) or document.pop("format", None) != _FORMAT:
        raise UnknownFormatError(f"{name!r} is no capsule of Parallel(save_failures=...)")
    return Capsule(**{**document, "folders": tuple(document["folders"])})


class _Builtins(pickle.Unpickler):
    """Builds what a capsule is made of, and nothing else: its task is built when that is asked for."""

    def find_class(self, module: str, name: str, /) -> Any:
        raise UnknownFormatError(f"it names {module}.{name}, as no capsule does")


def _plain(content: "parcel.reader.Content") -> Any:
    return _Builtins(io.BytesIO(content.skeleton), buffers=content.buffers).load()


def _document(index: int, call: Call, error: BaseException, seed: int | None) -> dict[str, Any]:
    folders: Sequence[str] = [os.getcwd(), os.path.abspath(sys.path[0])]
    parcels = {"task": _packed(_own(call), f"task {index}")}
    try:
        parcels["error"] = _packed(error, "error")
    except UnpicklableError:
        pass  # its text is kept anyhow
    return {
        "format": _FORMAT,
        "index": index,
        "call": describe(index, call),
        "error": message_of(error),
        "traceback": _traceback(error),
        "written": time.time(),
        "versions": _versions(),
        "seed": seed,
        "folders": list(dict.fromkeys(folders)),
        "parcels": parcels,
    }


def _own(call: Call) -> Call:
    """The call as the user wrote it: without the key of a cached one, objects in the place of handles."""
    function, args, kwargs = call
    if isinstance(function, Resumed):
        function, args = function.function, args[1:]  # type: ignore[assignment]  # it is called as any other
    sharing = loaded("lightwork.parallel.sharing")  # handles come from there only
    return (function, args, kwargs) if sharing is None else sharing.resolved((function, args, kwargs))


def _packed(value: object, path: str) -> Packed:
    skeleton, buffers = parcel.parcels.split(value, by_value=True, path=path)
    return {"skeleton": skeleton, "buffers": list(map(pickle.PickleBuffer, buffers))}


def _unpacked(packed: Packed) -> Any:
    # Copies: what a task writes to its arguments is gone when it is built again.
    buffers = [bytearray(part) for part in packed["buffers"]]
    return parcel.parcels.join(packed["skeleton"], buffers)


def message_of(error: BaseException) -> str:
    """Type and message of an error, without its notes."""
    return traceback.format_exception_only(error)[0].strip()


def _traceback(error: BaseException) -> str:
    cause = error.__cause__
    return cause.text if isinstance(cause, RemoteTraceback) else "".join(traceback.format_exception(error))


def _versions() -> dict[str, str]:
    found = {"python": sys.version.split()[0], "lightwork": __version__}
    modules = ((name, loaded(name)) for name in _PACKAGES)
    return found | {name: str(getattr(module, "__version__", "")) for name, module in modules if module}
