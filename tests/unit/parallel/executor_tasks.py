"""Calls for executors. Workers import this file, so it imports little."""

import mmap
import os
import signal
from typing import Any

import lightwork
from lightwork.parallel.task import nesting_level

COUNT: list[int] = []


def square(x: int) -> int:
    return x * x


def squares(n: int) -> list[int]:
    return lightwork.Parallel(n_jobs=2).map(square, range(n))


def add(*numbers: int) -> int:
    return sum(numbers)


def through(gate: str, value: Any = None) -> Any:
    """Wait until somebody opens the gate, a FIFO. To open it is to wait for this call to begin."""
    with open(gate) as opened:
        opened.read()
    return value


def let_through(gate: str) -> None:
    """Wait for a call to be at the gate, and let it go on."""
    with open(gate, "w"):
        pass


def is_mapped(array: Any) -> bool:
    """Whether an array lies in memory that was published."""
    view = memoryview(array).obj
    while not isinstance(view, mmap.mmap):
        base = view.obj if isinstance(view, memoryview) else getattr(view, "base", None)
        if base is None:
            return False
        view = base
    return True


def fill(array: Any, value: float) -> float:
    """What an array begins with, before it is filled with a value."""
    found = float(array[0])
    array[:] = value
    return found


def die(*args: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(path: str) -> str:
    """The worker of the first call dies."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return "alive"
    die()
    raise AssertionError("dead")


def fail_at_first(folder: str, times: int) -> int:
    """Fail so often; then the number of the call."""
    attempt = len(os.listdir(folder))
    with open(os.path.join(folder, str(attempt)), "x"):
        pass
    if attempt < times:
        raise OSError(f"attempt {attempt}")
    return attempt


def nested(depth: int, backend: str | None) -> int:
    """How many calls there are in a tree of executors, two below each."""
    if depth == 0:
        return 1
    with lightwork.Executor(n_jobs=2, backend=backend) as executor:
        futures = [executor.submit(nested, depth - 1, backend) for _ in range(2)]
        return 1 + sum(future.result() for future in futures)


def place() -> tuple[int, int, int]:
    """The nesting level, the workers that can be had, the number of the worker."""
    return nesting_level(), lightwork.effective_n_jobs(-1), lightwork.worker_id()


def look_up(table: dict[str, Any], key: str) -> Any:
    return table[key]


def writable(array: Any) -> bool:
    return bool(array.flags.writeable)


def total(array: Any) -> float:
    return float(array.sum())


def say(text: str) -> None:
    print(text)


def set_up(value: int) -> None:
    COUNT.append(value)


def set_ups() -> tuple[int, list[int]]:
    return os.getpid(), list(COUNT)


def fail_to_set_up(gate: str) -> None:
    through(gate)
    raise ConnectionError("no database")
