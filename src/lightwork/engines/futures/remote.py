"""A batch in the worker of somebody else: a process of an executor, of a cluster.

The worker is a guest's: each batch runs in a context of its own, and the runner is started and stopped around
it, so that nothing stays behind but the functions of the last few sessions, which are not built for each
batch again.
"""

import pickle
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextvars import copy_context
from time import monotonic_ns
from typing import Any, Final, NoReturn

from ...parcel.parcels import join
from ...protocols import Call, Run, Runner
from ...system.boot import boot_id
from ...system.computing import WORKER
from ..workers.answers import Answers
from ..workers.calls import Broken, calls
from ..workers.channel import Frame, Piece
from ..workers.wire import SCALARS, TOLD, Placed
from .blobs import Blob
from .packets import RUNNER, WHOLES, Answer, Packet, Part, Posted, Whole

__all__ = ["run"]

_SESSIONS: Final = 4
"""Sessions whose functions a worker keeps. One more would cost memory, one less building them again."""


def run(packet: Packet, *parts: Part | Whole) -> Answer:
    """Run the tasks of a packet, which may need these parts. Raises nothing that tasks raise."""
    return copy_context().run(_run, packet, parts)


class _Known:
    """The functions of the last sessions that this process has had tasks of. For all its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._functions: OrderedDict[bytes, dict[int, Any]] = (
            OrderedDict()
        )  # Any: users' functions, or Broken

    def functions(self, session: bytes, parts: Sequence[Part]) -> dict[int, Any]:
        """The functions of a session by number, those of the parts at least."""
        with self._lock:
            known = self._functions.setdefault(session, {})
            self._functions.move_to_end(session)
            while len(self._functions) > _SESSIONS:
                self._functions.popitem(last=False)
        for part in parts:
            if part.number not in known and part.number != RUNNER and part.skeleton is not None:
                known.setdefault(part.number, _built(part))
        return known


_KNOWN = _Known()


def _built(part: Part) -> Any:  # Any: the user's function, or Broken
    try:
        return join(part.skeleton or b"", [blob.owned() for blob in part.buffers])
    except Exception as error:  # noqa: BLE001 - runs users' code; each task of the function reports it
        return Broken(error)


def _run(packet: Packet, given: Sequence[Part | Whole]) -> Answer:
    parts = [part for part in given if isinstance(part, Part)]
    WHOLES.set({whole.name: whole.value for whole in given if isinstance(whole, Whole)})
    frames: list[Posted] = []
    answers = Answers(_post_to(frames))
    answers.is_timed = packet.timed
    WORKER.set(packet.slot)
    runner: Runner | None = None
    try:
        (own,) = [part for part in parts if part.number == RUNNER]
        runner = join(own.skeleton or b"", [blob.owned() for blob in own.buffers])
        run_task = runner.start(_tell_to(frames))
        take = _calls(packet, parts)
    except Exception as error:  # noqa: BLE001 - a runner starts users' code; each task reports it
        take, run_task = _raise(error), _never
    answers.begin(packet.start)
    try:
        _run_all(packet, answers, take, run_task)
        answers.gather()
    finally:
        if runner is not None and run_task is not _never:
            runner.stop()
    return Answer(frames, boot_id())


def _run_all(packet: Packet, answers: Answers, take: Callable[[], Call], run_task: Run) -> None:
    last = packet.start + packet.length - 1
    ends = answers.ends
    now = answers.began_ns
    for index in range(packet.start, last + 1):
        before = now
        # The results leave together: what later tasks might change is copied.
        answers.copies = index < last
        try:
            call = take()
            value = run_task(index, call)
        except BaseException as error:  # noqa: BLE001 - whatever a task raises is its failure
            answers.fail(index, error, began=before)
        else:
            if type(value) in SCALARS:
                answers.values.append(value)
            else:
                answers.add(index, value, began=before)
        call = value = None  # type: ignore[assignment]  # not kept alive by the next task
        now = monotonic_ns()
        if now - before > answers.longest_ns:
            answers.note_slowest(index, now - before)
        if ends is not None:
            ends.append(now)


def _calls(packet: Packet, parts: Sequence[Part]) -> Callable[[], Call]:
    """What gives the calls of a packet, each with arrays of its own."""
    functions = _KNOWN.functions(packet.session, parts)
    shared = {part.number: part.buffers[0] for part in parts if part.skeleton is None}
    buffers: list[memoryview | int] = [
        item if isinstance(item, int) else item.view() if packet.read_only else item.owned()
        for item in packet.buffers
    ]

    def place(item: Placed) -> memoryview:
        if packet.read_only:
            return (shared[item].view() if isinstance(item, int) else item).toreadonly()
        return shared[item].copy() if isinstance(item, int) else item

    body = memoryview(packet.body)
    frame = Frame(packet.kind, 0, 0, packet.start, packet.length, body, buffers)
    return calls(frame, functions, place)


def _post_to(frames: list[Posted]) -> Any:  # Any: a `Put`
    def put(
        kind: int,
        body: Piece,
        *,
        flag: int = 0,
        start: int = 0,
        length: int = 0,
        buffers: Sequence[Placed] = (),
    ) -> None:
        frames.append(Posted(kind, flag, start, length, bytes(body), [Blob(item) for item in buffers]))

    return put


def _tell_to(frames: list[Posted]) -> Callable[[int, object], None]:
    def tell(index: int, what: object) -> None:
        # Of several threads perhaps: appending to a list is one step.
        frames.append(Posted(TOLD, 0, index, 0, pickle.dumps(what, pickle.HIGHEST_PROTOCOL), ()))

    return tell


def _raise(error: Exception) -> Callable[[], Call]:
    def take() -> NoReturn:
        raise error

    return take


def _never(index: int, call: Call) -> None:
    raise AssertionError("no call was taken")
