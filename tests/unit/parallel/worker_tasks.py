"""Tasks that grow, die, and tell who runs them. Workers import this file, so it imports little."""

import builtins
import importlib
import os
import signal
import sys
import threading
import time
from typing import Any

from lightwork import worker_id

LEAK: list[bytearray] = []


def pid_of(x: Any) -> int:
    return os.getpid()


def leak(nbytes: int) -> int:
    LEAK.append(bytearray(b"x") * nbytes)
    return os.getpid()


def by_number(nbytes: int) -> tuple[int, int]:
    """Worker 0 grows."""
    if worker_id() == 0:
        leak(nbytes)
    return worker_id(), os.getpid()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


STATE: list[Any] = []


def set_up(*values: Any) -> None:
    STATE.append(values)


def state(_: int) -> tuple[int, list[Any]]:
    return os.getpid(), list(STATE)


KEPT: list[Any] = []


def keep(array: Any, change: float = 0.0) -> None:
    array[0] += change
    KEPT[:] = [array]


def number_and_sum(_: int) -> tuple[int, float]:
    time.sleep(0.002)  # long enough for both workers to get tasks
    return worker_id(), float(KEPT[0].sum())


def hang(where: str) -> None:
    threading.Event().wait(60)


def fail_to_set_up(kind: type[Exception]) -> None:
    raise kind("no database")


class OwnError(Exception):
    """Can be pickled, and not be built again."""

    def __init__(self, text: str, more: int = 0) -> None:
        super().__init__(text)
        self.lock = threading.Lock()


def number_and_rank(_: int) -> tuple[int, str | None, int]:
    return worker_id(), os.getenv("RANK"), os.getpid()


def has_module(name: str) -> bool:
    return name in sys.modules


def version_of(name: str) -> Any:
    return importlib.import_module(name).VERSION


def is_imported_twice() -> bool:
    return bool(vars(builtins)["lw_count"] > 1)
