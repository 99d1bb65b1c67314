"""Starting the template."""

import gc
import os
import warnings
from typing import Any

import pytest

from lightwork.engines.processes.launcher import Template


def test_an_interrupt_while_the_template_starts_leaves_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is usually noticed right after the system call that took longest."""
    spawn, started = os.posix_spawn, list[int]()

    def interrupted(*args: Any, **kwargs: Any) -> int:
        started.append(spawn(*args, **kwargs))
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "posix_spawn", interrupted)
    before = set(os.listdir("/proc/self/fd"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(KeyboardInterrupt):
            Template()
        gc.collect()
    assert [str(item.message) for item in caught] == []
    assert set(os.listdir("/proc/self/fd")) == before
    assert os.waitpid(started[0], 0)[0] == started[0]  # it left, since nobody was there
