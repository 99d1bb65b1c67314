"""What tasks print and log, where the call was made."""

import contextlib
import ctypes
import io
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lightwork import Parallel, delayed
from lightwork.errors import InvalidOption
from tests.unit.parallel.scripts import run

pytestmark = pytest.mark.slow

Heard = list[tuple[int, str, str]]
PLACES = [
    {"n_jobs": 1},
    {"n_jobs": 2, "batch_size": 2},
    {"n_jobs": 2, "backend": "threads", "batch_size": 2},
]


def talk(index: int) -> int:
    print("one", index)
    print("two", index, file=sys.stderr)
    sys.stdout.write("three")
    return index


def said(index: int) -> set[tuple[int, str, str]]:
    return {
        (index, "stdout", f"one {index}\n"),
        (index, "stderr", f"two {index}\n"),
        (index, "stdout", "three"),
    }


@pytest.mark.parametrize("options", PLACES)
def test_lines_come_with_their_task_before_its_result(options: dict[str, Any]) -> None:
    """In the order in which the task printed them, on whatever engine; the streams are back afterwards."""
    heard: Heard = []
    streams = sys.stdout, sys.stderr
    generator = Parallel(return_as="generator", capture_output=lambda *item: heard.append(item), **options)(
        delayed(talk)(i) for i in range(6)
    )
    for index, result in enumerate(generator):
        assert result == index
        assert {item for item in heard if item[0] == index} == said(index)
    assert (sys.stdout, sys.stderr) == streams
    mine = [text for index, stream, text in heard if (index, stream) == (4, "stdout")]
    assert mine == ["one 4\n", "three"]


@pytest.mark.parametrize("options", PLACES)
def test_lines_are_printed_behind_the_index_of_their_task(
    options: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """On the stream of the same name; a line that a task did not end is ended."""
    Parallel(capture_output=True, **options)(delayed(talk)(i) for i in range(3))
    out, err = capsys.readouterr()
    assert sorted(out.splitlines()) == sorted(
        line for i in range(3) for line in (f"[task {i}] one {i}", f"[task {i}] three")
    )
    assert sorted(err.splitlines()) == [f"[task {i}] two {i}" for i in range(3)]


def wait_for(path: Path) -> None:
    print("waiting")
    descriptor = os.open(path, os.O_RDONLY)  # a fifo: blocks until the other side opens it
    os.close(descriptor)


@pytest.mark.parametrize("options", [{}, {"backend": "threads"}])
def test_lines_come_while_the_task_runs(options: dict[str, Any], tmp_path: Path) -> None:
    """The task ends only when its line was heard."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)

    def hear(index: int, stream: str, text: str) -> None:
        assert (index, stream, text) == (0, "stdout", "waiting\n")
        os.close(os.open(gate, os.O_WRONLY))

    Parallel(n_jobs=2, capture_output=hear, **options)([delayed(wait_for)(gate)])


def write_in_all_ways(index: int) -> int:
    print("python", index)
    os.write(1, f"raw {index}\n".encode())
    subprocess.run(["echo", "child", str(index)], check=True)
    ctypes.CDLL(None).puts(f"c {index}".encode())  # kept in a buffer of C's
    os.write(2, b"not ended")
    return index


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_descriptors_are_captured_with_fd(n_jobs: int, capsys: pytest.CaptureFixture[str]) -> None:
    """C code and child processes too, and with one worker in a process; afterwards they are free."""
    parallel = Parallel(n_jobs=n_jobs, capture_output="fd", batch_size=2)
    assert parallel(delayed(write_in_all_ways)(i) for i in range(4)) == [0, 1, 2, 3]
    out, err = capsys.readouterr()
    for index in range(4):
        mine = [line for line in out.splitlines() if line.startswith(f"[task {index}] ")]
        assert mine == [f"[task {index}] {way} {index}" for way in ("python", "raw", "child", "c")]
    assert sorted(err.splitlines()) == [f"[task {index}] not ended" for index in range(4)]


def flood(lines: int) -> int:
    for line in range(lines):
        os.write(1, b"%099d\n" % line)
    return lines


def test_a_chatty_task_never_waits_and_nothing_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    """Three tasks of 5 MB, one after the other in one worker and file."""
    assert Parallel(n_jobs=1, capture_output="fd")(delayed(flood)(50_000) for _ in range(3)) == [50_000] * 3
    lines = capsys.readouterr().out.splitlines()
    assert [int(line.removeprefix(f"[task {k // 50_000}] ")) for k, line in enumerate(lines)] == [
        *range(50_000)
    ] * 3


def wait_raw(path: Path) -> None:
    os.write(1, b"waiting\n")
    os.close(os.open(path, os.O_RDONLY))


def test_descriptors_are_read_while_the_task_runs(tmp_path: Path) -> None:
    """The task ends only when its line was printed here."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)

    class Opening(io.StringIO):
        def write(self, text: str) -> int:
            os.close(os.open(gate, os.O_WRONLY))
            return super().write(text)

    with contextlib.redirect_stdout(Opening()) as stream:
        Parallel(n_jobs=2, capture_output="fd")([delayed(wait_raw)(gate)])
    assert stream.getvalue() == "[task 0] waiting\n"


def start_a_thread() -> str:
    thread = threading.Thread(target=print, args=("from a thread",))
    thread.start()
    thread.join()
    return "done"


def test_a_thread_of_a_task_in_a_worker_process_belongs_to_it() -> None:
    """The worker runs one task at a time, so whoever prints there prints for it."""
    heard: Heard = []
    Parallel(n_jobs=2, capture_output=lambda *item: heard.append(item))([delayed(start_a_thread)()])
    assert heard == [(0, "stdout", "from a thread\n")]


def test_a_child_that_a_task_forks_prints_where_the_worker_would(tmp_path: Path) -> None:
    """It must not speak over the worker's connection; neither print nor log does."""
    lines = run(
        tmp_path,
        """
        import logging, os, sys, warnings
        from lightwork import Parallel, delayed

        def task():
            child = os.fork()
            if child == 0:
                print("from the child")
                logging.getLogger().warning("of the child")
                os._exit(0)
            os.waitpid(child, 0)
            print("from the task")
            return "done"

        warnings.simplefilter("default")  # forks in processes with threads
        logging.basicConfig(level="INFO", stream=sys.stdout)
        print(Parallel(n_jobs=2, capture_output=True)([delayed(task)()]))
        """,
    )
    assert lines == ["from the child", "[task 0] from the task", "['done']"]


def print_and_fail() -> None:
    print("before")
    raise LookupError("after")


@pytest.mark.parametrize("options", PLACES)
def test_lines_of_a_task_that_fails_come_before_its_error(options: dict[str, Any]) -> None:
    """And the streams are back after it."""
    heard: Heard = []
    streams = sys.stdout, sys.stderr
    with pytest.raises(LookupError):
        Parallel(capture_output=lambda *item: heard.append(item), **options)([delayed(print_and_fail)()])
    assert heard == [(0, "stdout", "before\n")]
    for thread in threading.enumerate():
        if re.fullmatch("lightwork-[0-9]+", thread.name):  # they may run abandoned tasks until then
            thread.join()
    assert (sys.stdout, sys.stderr) == streams


def test_others_print_as_ever_while_tasks_are_captured(capsys: pytest.CaptureFixture[str]) -> None:
    """With threads the streams of the process are shared: who is in no task is not captured."""
    heard: Heard = []
    generator = Parallel(
        n_jobs=2, backend="threads", return_as="generator", capture_output=lambda *item: heard.append(item)
    )(delayed(talk)(i) for i in range(3))
    for _ in generator:
        print("of the caller")
    assert capsys.readouterr().out == "of the caller\n" * 3
    assert len(heard) == 9


def test_a_stream_that_was_put_there_meanwhile_is_captured_too(capsys: pytest.CaptureFixture[str]) -> None:
    """While one call goes on, or a thread of it that was abandoned, others are heard in a redirection."""
    heard: Heard = []
    streams = sys.stdout, sys.stderr
    options: Any = {"n_jobs": 2, "backend": "threads", "capture_output": lambda *item: heard.append(item)}
    gate = threading.Event()
    first = Parallel(return_as="generator", **options)([delayed(talk)(0), delayed(gate.wait)()])
    next(first)
    with contextlib.redirect_stdout(io.StringIO()) as stream:
        heard.clear()
        Parallel(**options)([delayed(talk)(0)])
        assert set(heard) == said(0)
        print("of the caller")
        assert stream.getvalue() == "of the caller\n"
    gate.set()
    assert list(first) == [True]
    Parallel(**options)([delayed(talk)(0)])  # the redirection may have put a stream back that was routed
    assert (sys.stdout, sys.stderr) == streams
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "options",
    [
        {"capture_output": "yes"},
        {"capture_output": None},
        {"capture_output": "fd", "backend": "threads"},
        {"capture_output": "fd", "backend": "sequential"},
    ],
)
def test_what_cannot_be_captured_is_refused(options: dict[str, Any]) -> None:
    """Before any effect, by value."""
    with pytest.raises(InvalidOption, match="capture_output="):
        Parallel(n_jobs=2, **options)


# -- log records ------------------------------------------------------------------------------------------


class Keep(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def say(index: int) -> None:
    print(index)


def swallow(index: int) -> int:
    with contextlib.suppress(Exception):
        print(index)
    return index


@pytest.mark.parametrize("task", [say, swallow])
@pytest.mark.parametrize("options", PLACES)
def test_what_the_function_raises_ends_the_call(options: dict[str, Any], task: Any) -> None:
    """It is no error of a task: nothing is tried again or skipped."""
    heard: list[int] = []

    def hear(index: int, stream: str, text: str) -> None:
        heard.append(index)
        raise LookupError("nobody listens")

    parallel = Parallel(capture_output=hear, on_error="return", retries=3, **options)
    with pytest.raises(LookupError, match="nobody listens"):
        parallel([delayed(task)(0)])
    assert heard == [0]


@pytest.fixture
def kept() -> Iterator[list[logging.LogRecord]]:
    """The records that the root logger gets, from DEBUG on."""
    handler, level = Keep(), logging.root.level
    logging.root.addHandler(handler)
    logging.root.setLevel(logging.DEBUG)
    yield handler.records
    logging.root.setLevel(level)
    logging.root.removeHandler(handler)


def log(index: int) -> int:
    logger = logging.getLogger("tasks.log")
    logger.debug("first of %d", index, extra={"colour": "red", "lock": threading.Lock()})
    try:
        raise LookupError("gone")
    except LookupError:
        logger.exception("second of %d", index)
    return index


@pytest.mark.parametrize("capture", [False, True])
def test_records_of_workers_arrive_once_with_their_task(kept: list[logging.LogRecord], capture: bool) -> None:
    """Before the result, with the level of the caller, whether output is captured or not."""
    parallel = Parallel(n_jobs=2, return_as="generator", batch_size=2, capture_output=capture)
    for index in parallel(delayed(log)(i) for i in range(6)):
        mine = [record for record in kept if getattr(record, "task", None) == index]
        assert [record.getMessage() for record in mine] == [f"first of {index}", f"second of {index}"]
        first, second = mine
        assert (first.name, first.levelname, first.funcName) == ("tasks.log", "DEBUG", "log")
        assert first.pathname == __file__
        assert first.process != os.getpid()
        assert (first.__dict__["colour"], first.__dict__["lock"][:9]) == ("red", "<unlocked")
        assert "LookupError: gone" in (second.exc_text or "")
    assert len([record for record in kept if record.name == "tasks.log"]) == 12


class Unfinished(Exception):
    """Can be pickled, and not be built again."""

    def __init__(self, text: str, more: int) -> None:
        super().__init__(text)


def log_unfinished(index: int) -> int:
    logging.getLogger("tasks.log").warning("x", extra={"error": Unfinished("a", 1)})
    return index


def test_attributes_that_cannot_be_built_again_are_told_in_words(kept: list[logging.LogRecord]) -> None:
    """They do not end the call."""
    assert Parallel(2)(delayed(log_unfinished)(i) for i in range(2)) == [0, 1]
    assert [record.__dict__["error"] for record in kept if record.name == "tasks.log"] == [
        "Unfinished('a')"
    ] * 2


@pytest.mark.parametrize("options", [{"n_jobs": 1}, {"n_jobs": 2, "backend": "threads"}])
def test_records_of_this_process_are_tagged_too(
    kept: list[logging.LogRecord], options: dict[str, Any]
) -> None:
    """When output is captured; the handlers get each record once, as they would without."""
    Parallel(capture_output=lambda *item: None, **options)(delayed(log)(i) for i in range(3))
    logging.getLogger("tasks.log").debug("of nobody")
    tasks = sorted(record.__dict__.get("task", -1) for record in kept if record.name == "tasks.log")
    assert tasks == [-1, 0, 0, 1, 1, 2, 2]


def test_without_handlers_warnings_go_to_standard_error(tmp_path: Path) -> None:
    """Nobody has set up logging, so workers do as any Python does; nothing is loaded for them."""
    lines = run(
        tmp_path,
        """
        import os, sys
        from lightwork import Parallel, delayed
        os.dup2(1, 2)

        def task():
            import logging
            logging.getLogger("a").warning("to be seen")
            logging.getLogger("a").info("not to be seen")

        Parallel(n_jobs=2)([delayed(task)()])
        """,
    )
    assert lines == ["to be seen"]


def test_records_that_a_worker_handles_itself_are_not_handled_twice(tmp_path: Path) -> None:
    """A module that sets up its logger wherever it is imported is left alone."""
    lines = run(
        tmp_path,
        """
        import logging, sys
        from lightwork import Parallel, delayed
        from beside import task

        logging.basicConfig(level="INFO", stream=sys.stdout, format="root %(message)s")
        Parallel(n_jobs=2)([delayed(task)()])
        """,
        beside="""
        import logging, sys
        logger = logging.getLogger("beside")
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("own %(message)s"))
        logger.addHandler(handler)

        def task():
            logger.info("beside")
            logging.getLogger("other").info("other")
        """,
    )
    assert sorted(lines) == ["own beside", "root other"]
