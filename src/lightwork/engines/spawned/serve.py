"""The worker: reads functions with their arguments from a pipe, and writes what they return to another."""

import os
import pickle
import signal
import struct
import sys
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, Final, NamedTuple

from ...errors import EngineError
from ..workers.environment import Change, apply_change

__all__ = ["READY", "Answer", "Load", "receive", "send", "serve"]

READY: Final = b"ready"
"""The first frame of a worker."""

_SIZE: Final = struct.Struct("<Q")


class Load(NamedTuple):
    """What a worker has to do."""

    change: Change | None
    """What it has to do before, to look like its parent."""

    is_first: bool
    function: Callable[..., Any]  # Any: what it is for is between who submits and who wrote it
    args: Sequence[Any]


class Answer(NamedTuple):
    """What became of it: a value, or an error."""

    is_good: bool
    value: Any  # Any: as above


def send(descriptor: int, data: bytes) -> None:
    """Write a frame. Raises `OSError` if nobody reads."""
    for part in (_SIZE.pack(len(data)), data):
        rest = memoryview(part)
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def receive(descriptor: int) -> bytearray:
    """Read a frame. Raises `EOFError` if the other side has ended, in the midst of one too."""
    (size,) = _SIZE.unpack(_exactly(descriptor, _SIZE.size))
    return _exactly(descriptor, size)


def _exactly(descriptor: int, size: int) -> bytearray:
    data = bytearray(size)
    rest = memoryview(data)
    while rest:
        count = os.readv(descriptor, [rest])
        if not count:
            raise EOFError("the other side has ended")
        rest = rest[count:]
    return data


def serve(requests: int, answers: int, prefix: str, exec_prefix: str) -> None:
    """Work until the parent closes its end or is gone; then end at once, with all that tasks have started."""
    sys.prefix, sys.exec_prefix = prefix, exec_prefix  # without `site` nobody has found out
    for descriptor in (requests, answers):
        os.set_inheritable(descriptor, False)
    loads: SimpleQueue[bytearray] = SimpleQueue()
    threading.Thread(target=_listen, args=(requests, loads), name="lightwork-parent", daemon=True).start()
    send(answers, READY)
    while True:
        send(answers, _answer(loads.get()))


def _listen(requests: int, loads: "SimpleQueue[bytearray]") -> None:
    try:
        while True:
            loads.put(receive(requests))
    finally:
        os.killpg(0, signal.SIGKILL)  # it leads a process group of its own


def _answer(data: bytearray) -> bytes:
    try:
        load: Load = pickle.loads(data)
        if load.change is not None:
            apply_change(load.change, first=load.is_first)
        value = load.function(*load.args)
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()  # it may be killed before it says more
        return pickle.dumps(Answer(True, value), 5)
    except Exception as error:  # noqa: BLE001 - the folder was deleted, say; the parent tells
        return _bad(error)


def _bad(error: Exception) -> bytes:
    try:
        return pickle.dumps(Answer(False, error), 5)
    except Exception:  # noqa: BLE001 - of any kind, it is another's
        return pickle.dumps(Answer(False, EngineError(f"{type(error).__name__}: {error}")), 5)
