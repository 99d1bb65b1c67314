"""joblib's helpers for tests: names of pytest, and a check of what a command prints."""

import re
import subprocess
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import pytest

__all__ = ["check_subprocess_call", "warnings_to_stdout"]

raises = pytest.raises
warns = pytest.warns
SkipTest = pytest.skip.Exception
skipif = pytest.mark.skipif
fixture = pytest.fixture
parametrize = pytest.mark.parametrize
timeout = pytest.mark.timeout
xfail = pytest.mark.xfail
param = pytest.param


def warnings_to_stdout() -> None:
    """Print warnings to standard output, where doctests see them."""

    def show(message: Warning | str, *rest: Any, **more: Any) -> None:  # Any: where the warning came from
        print(message)

    warnings.showwarning = show


def check_subprocess_call(
    cmd: Sequence[str],
    timeout: float | None = 5,
    stdout_regex: str | None = None,
    stderr_regex: str | None = None,
) -> None:
    """Run a command that must end well and print what the expressions describe.

    It gets SIGTERM after `timeout` seconds and SIGKILL after twice as many; ``None``: it may take its time.

    Raises
    ------
    ValueError
        It did not end well, or printed something else; the message holds all that it printed.
    """
    process = subprocess.Popen(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def end(action: Callable[[], None]) -> None:
        warnings.warn(f"Timeout running {cmd}", stacklevel=2)
        action()

    timers: list[tuple[float, Callable[[], None]]] = []
    if timeout is not None:
        timers = [(timeout, process.terminate), (2 * timeout, process.kill)]
    running = [threading.Timer(seconds, end, [action]) for seconds, action in timers]
    for timer in running:
        timer.start()
    try:
        output, errors = (text.decode() for text in process.communicate())
    finally:
        for timer in running:
            timer.cancel()
    if process.returncode != 0:
        raise ValueError(f"Non-zero return code: {process.returncode}.\nStdout:\n{output}\nStderr:\n{errors}")
    for name, expected, text in (("stdout", stdout_regex, output), ("stderr", stderr_regex, errors)):
        if expected is not None and not re.search(expected, text):
            raise ValueError(f"Unexpected {name}: {expected!r} does not match:\n{text!r}")
