"""The options of `Parallel`, checked one by one before anything happens."""

import os
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, SupportsInt, TypeAlias

from .. import parallel, stores, system  # `parallel.arithmetic` is loaded by the first `Parallel`
from ..errors import InvalidOption
from ..protocols import Engine, ForeignWorkers, supports
from ..system.figures import real, whole

__all__ = [
    "CaptureOutput",
    "ReturnAs",
    "Unset",
    "check_choice",
    "default_n_jobs",
    "parse_batch_size",
    "parse_capture",
    "parse_flag",
    "parse_folder",
    "parse_mmap_mode",
    "parse_n_jobs",
    "parse_seed",
    "parse_task_timeout",
    "parse_timeout",
    "parse_verbose",
    "read_ahead",
    "refuse_lacking",
    "refuse_memmapping",
    "refuse_unknown",
]

_FOR_EVER: Final = 2_000_000.0
"""Seconds, 23 days: about as long as the system waits at most. A longer timeout is none."""

ReturnAs: TypeAlias = Literal["list", "generator", "generator_unordered"]

CaptureOutput: TypeAlias = "bool | Literal['fd'] | Callable[[int, str, str], object]"
"""A function gets the index of the task, ``"stdout"`` or ``"stderr"``, and the text."""


class Unset:
    """Stands for an option that was not given, to tell it from one that was given its default."""

    __slots__ = ("default",)

    def __init__(self, default: object) -> None:
        self.default = default

    def __repr__(self) -> str:
        return f"default({self.default!r})"


def parse_n_jobs(n_jobs: SupportsInt | str) -> int:
    """A number of workers: not 0; negative ones count back from the number of cores."""
    if not isinstance(n_jobs, str) and whole(n_jobs) is None and real(n_jobs) is None:
        raise TypeError(f"n_jobs={n_jobs!r} is a {type(n_jobs).__name__}: give a whole number")
    try:
        number = int(n_jobs)
    except (ValueError, OverflowError):
        raise InvalidOption(f"n_jobs could not be converted to int: it is {n_jobs!r}") from None
    if number == 0:
        raise InvalidOption(
            f"n_jobs == 0 in Parallel has no meaning (n_jobs={n_jobs!r}): give 1, or -1 for all cores"
        )
    return number


def parse_batch_size(batch_size: object) -> int | None:
    """A fixed number of tasks, or ``None`` for ``"auto"``."""
    if isinstance(batch_size, str) and batch_size == "auto":
        return None
    number = whole(batch_size)
    if number is None or number < 1:
        raise InvalidOption(f'batch_size={batch_size!r}: give "auto" or a positive integer')
    return number


def parse_capture(capture: object, engine: Engine) -> Any:  # Any: a `CaptureOutput`
    """Whether, and how, output of tasks is brought to the caller."""
    if capture == "fd":
        refuse_lacking(engine, "capture_output='fd'", capture)
    if capture == "fd" and engine.shares_memory:
        raise InvalidOption(
            f"capture_output='fd': with backend={engine.name!r} all tasks write to the descriptors of this "
            'process; use backend="processes", or capture_output=True'
        )
    if isinstance(capture, bool) or capture == "fd" or callable(capture):
        return capture
    raise InvalidOption(
        f'capture_output={capture!r}: give False, True, "fd", or a function of (index, stream, text)'
    )


def parse_folder(path: object, name: str) -> str:
    """The folder that an option names, which may be new, as an absolute path."""
    if not isinstance(path, str | os.PathLike) or not os.fspath(path) or "\0" in os.fsdecode(path):
        raise InvalidOption(f"{name}={path!r}: give the path of a folder, or None")
    if stores.urls.is_url(os.fsdecode(path)):
        raise InvalidOption(
            f"{name}={path!r} is a URL: what it keeps is kept in a folder, give the path of one"
        )
    found = os.path.abspath(os.path.expanduser(os.fsdecode(path)))
    if os.path.exists(found) and not os.path.isdir(found):
        raise InvalidOption(f"{name}={path!r} is a file: give the path of a folder, which may be new")
    return found


def parse_seed(seed: object) -> int | None:
    """A number that is not negative, of any size, or ``None``."""
    if seed is None:
        return None
    number = whole(seed)
    if number is None or number < 0:
        raise InvalidOption(f"seed={seed!r}: give a whole number, 0 or more, or None")
    return number


def parse_timeout(timeout: Any, name: str = "timeout") -> float | None:  # Any: checked here
    """Seconds, or ``None`` for no limit, which is also what more than three weeks are."""
    if timeout is None or real(timeout) == float("inf"):
        return None
    seconds = system.units.parse_seconds(timeout, name=name)
    return seconds if seconds < _FOR_EVER else None


def parse_task_timeout(task_timeout: object, engine: Engine) -> float | None:
    """Seconds, ``None`` for no limit. An engine whose tasks cannot be ended is refused."""
    seconds = parse_timeout(task_timeout, "task_timeout")
    if seconds is not None:
        refuse_lacking(engine, "task_timeout", task_timeout)
    if seconds is not None and engine.shares_memory:
        raise InvalidOption(
            f"task_timeout={task_timeout!r}: backend={engine.name!r} cannot end a task that runs, threads "
            'cannot be killed; use backend="processes"'
        )
    return seconds


def parse_flag(name: str, value: object) -> bool:
    """A truth value, and nothing that only passes for one."""
    if not isinstance(value, bool):
        raise InvalidOption(f"{name}={value!r}: give True or False")
    return value


def parse_verbose(verbose: object) -> int:
    """How much is logged: a number, also ``True`` and ``False``."""
    number = int(verbose) if isinstance(verbose, bool) else whole(verbose)
    if number is None:
        raise InvalidOption(f"verbose={verbose!r}: give a whole number, 0 for silence")
    return number


def read_ahead(pre_dispatch: object, n_jobs: int) -> int | None:
    """How many batches may be read from the input before the first of them has ended; ``None``: all."""
    if pre_dispatch is None or (isinstance(pre_dispatch, str) and pre_dispatch == "all"):
        return None
    value = (
        parallel.arithmetic.evaluate(pre_dispatch, n_jobs)
        if isinstance(pre_dispatch, str)
        else real(pre_dispatch)
    )
    if value is None:
        raise TypeError(
            f"pre_dispatch={pre_dispatch!r} is a {type(pre_dispatch).__name__}: give a number or a text"
        )
    if value == float("inf"):
        return None
    if not value >= 1:
        raise InvalidOption(
            f'pre_dispatch={pre_dispatch!r} is {value:g}: nothing would run; give 1 or more, or "all"'
        )
    return int(value)


def check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    """Raise `InvalidOption` unless the value is one of the choices."""
    if value not in choices:
        raise InvalidOption(
            f"{name}={value!r} is not a valid choice: give one of {', '.join(map(repr, choices))}"
        )


def parse_mmap_mode(mmap_mode: object) -> bool:
    """Whether large arrays arrive read-only. Otherwise they are private copies, shared until written to."""
    if mmap_mode not in (None, "c", "r"):
        raise InvalidOption(
            f"mmap_mode={mmap_mode!r}: no task can change what others see; give "
            "'c' (writable, private copies) or 'r' (read-only)"
        )
    return mmap_mode == "r"


def default_n_jobs(engine: Engine) -> int:
    """The `n_jobs` of a call that names none: whoever gives workers of his own wants them to work."""
    return -1 if supports(engine, ForeignWorkers) else 1


def refuse_lacking(engine: Engine, option: str, value: object) -> None:
    """Raise `InvalidOption` if workers of the user's own cannot keep an option: a name, or ``name=value``."""
    reason = engine.lacks.get(option) if supports(engine, ForeignWorkers) else None
    if reason is not None:
        given = option if "=" in option else f"{option}={value!r}"
        raise InvalidOption(
            f"{given}: backend={engine.name!r} cannot keep it: {reason}. Leave it out, or use "
            'backend="processes"'
        )


def refuse_memmapping(temp_folder: object, max_nbytes: object) -> None:
    """Refuse what speaks of joblib's memory-mapped files. There are none here.

    `None` and the defaults ask for nothing else, so they pass.
    """
    if temp_folder is not None:
        raise InvalidOption(
            f"temp_folder={temp_folder!r}: arrays travel in memory, no files are written; leave it out"
        )
    if max_nbytes not in (None, "1M"):
        raise InvalidOption(
            f"max_nbytes={max_nbytes!r}: which arrays are shared is decided by how often they are sent; "
            "leave it out"
        )


def refuse_unknown(name: str, options: Mapping[str, Any]) -> None:  # Any: whatever was given
    """Raise `InvalidOption` for keywords that `name`, a class of this package, does not know."""
    if options:
        system.hints.refuse_unknown(name, options, getattr(parallel, name).__init__)
