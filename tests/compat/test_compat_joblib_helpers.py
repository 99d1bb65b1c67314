"""The small helpers of the joblib face: logs, sizes, folders, commands, versions."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import joblib.disk
import joblib.logger
import pytest

from lightwork.compat.joblib import disk, logger, testing
from lightwork.compat.joblib.backports import LooseVersion


@pytest.mark.parametrize("seconds", [0, 0.04, 1, 42, 59.96, 60, 60.01, 75.3, 78, 3600, 1e6])
def test_times_are_written_as_joblib_writes_them(seconds: float) -> None:
    """Both ways of writing them."""
    assert logger.format_time(seconds) == joblib.logger.format_time(seconds)
    assert logger.short_format_time(seconds) == joblib.logger.short_format_time(seconds)


@pytest.mark.parametrize("text", ["80G", "1.4M", "53K", "1e3K", "x", "1T", "10", ""])
def test_sizes_are_read_as_joblib_reads_them(text: str) -> None:
    """Errors as well."""
    assert _outcome(disk.memstr_to_bytes, text) == _outcome(joblib.disk.memstr_to_bytes, text)


def _outcome(read: Callable[[str], int], text: str) -> object:
    try:
        return read(text)
    except (ValueError, IndexError) as exc:
        return type(exc), str(exc)


def test_nine_older_logs_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each new one begins with a title; what is printed goes to standard error too."""
    for number in range(12):
        logger.PrintTime(logdir=str(tmp_path))(f"message {number}")
    assert sorted(os.listdir(tmp_path)) == ["joblib.log", *(f"joblib.log.{older}" for older in range(1, 10))]
    assert "message 11: 0." in (tmp_path / "joblib.log").read_text()
    assert "message 2: 0." in (tmp_path / "joblib.log.9").read_text()
    assert "message 0: 0." in capsys.readouterr().err


@pytest.mark.slow
def test_a_command_that_takes_too_long_is_ended_with_a_warning() -> None:
    """And what it has printed is in the error."""
    command = [sys.executable, "-c", "import time; print('begun', flush=True); time.sleep(60)"]
    with (
        pytest.warns(UserWarning, match="Timeout running"),
        pytest.raises(ValueError, match=r"Non-zero return code: -15(.|\n)*begun"),
    ):
        testing.check_subprocess_call(command, timeout=1)


def test_versions_compare_number_by_number() -> None:
    """With texts too."""
    assert LooseVersion("1.10") > LooseVersion("1.9")
    assert LooseVersion("1.5") >= "1.5"
    assert LooseVersion("1.5.2b2") != "1.5.2"
