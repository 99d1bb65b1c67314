"""The options of `Parallel` and `parallel_config`: meanings, precedence, refusals."""

import threading
from typing import Any

import pytest

from lightwork.engines.registry import engine
from lightwork.errors import InvalidOption, ParallelWarning
from lightwork.parallel import (
    Parallel,
    Retry,
    delayed,
    effective_n_jobs,
    parallel_backend,
    parallel_config,
)
from lightwork.parallel.arithmetic import evaluate
from lightwork.parallel.options import ReturnAs, read_ahead
from lightwork.system.cpu import cpu_count
from lightwork.testing.engines import ScriptedEngine


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_jobs": 0}, "n_jobs == 0 in Parallel has no meaning"),
        ({"n_jobs": "2.3"}, "n_jobs could not be converted to int"),
        ({"n_jobs": 0.5}, "n_jobs == 0"),
        ({"backend": "nowhere"}, "backend='nowhere' is not known: give one of auto, .*dask, .*threads"),
        ({"backend": ScriptedEngine}, "neither the name of a backend nor an Engine"),
        ({"return_as": "tuple"}, "return_as='tuple' is not a valid"),
        ({"on_error": "ignore"}, "on_error='ignore' is not a valid"),
        ({"timeout": 0}, "timeout=0"),
        ({"timeout": -1}, "timeout=-1"),
        ({"verbose": "loud"}, "verbose='loud'"),
        ({"verbose": None}, "verbose=None"),
        ({"pre_dispatch": 0}, "pre_dispatch=0 is 0"),
        ({"pre_dispatch": "n_jobs.real"}, "is not a valid or supported arithmetic"),
        ({"pre_dispatch": "1" * 31}, "is too long"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"batch_size": -1}, "batch_size=-1"),
        ({"batch_size": 1.42}, "batch_size=1.42"),
        ({"batch_size": "large"}, "batch_size='large'"),
        ({"temp_folder": "/tmp"}, "temp_folder='/tmp'"),
        ({"max_nbytes": 100}, "max_nbytes=100"),
        ({"mmap_mode": "r+"}, r"mmap_mode='r\+'"),
        ({"prefer": "gpus"}, "prefer='gpus' is not a valid"),
        ({"require": "luck"}, "require='luck' is not a valid"),
        ({"prefer": "processes", "require": "sharedmem"}, "exclude each other"),
        ({"backend": "processes", "require": "sharedmem"}, "does not support shared memory"),
        ({"backend": "threads", "max_worker_memory": "1GB"}, "max_worker_memory=.* is for worker processes"),
        ({"backend": "threads", "max_tasks_per_worker": 2}, "max_tasks_per_worker=2 is for worker processes"),
        ({"backend": "threads", "worker_env": {}}, "worker_env={} is for worker processes"),
        ({"max_tasks_per_worker": 0}, "max_tasks_per_worker=0"),
        ({"max_tasks_per_worker": True}, "max_tasks_per_worker=True"),
        ({"max_worker_memory": "many"}, "max_worker_memory='many' is not a size"),
        ({"max_worker_memory": 0}, "max_worker_memory=0: give more than nothing"),
        ({"worker_env": 3}, "worker_env=3: give a mapping"),
        ({"worker_env": {"GPU": 1}}, "worker_env: 'GPU' with the value 1"),
        ({"worker_env": {"A=B": "1"}}, "worker_env: 'A=B'"),
        ({"worker_env": {"A": "1\0"}}, "worker_env: 'A' holds a zero byte"),
        ({"initializer": 3}, "initializer=3 cannot be called"),
        ({"initargs": (1,)}, r"initargs=\(1,\): there is no initializer="),
        ({"inner_max_num_threads": 0}, "inner_max_num_threads=0"),
        ({"progress": "yes"}, "progress='yes'"),
        ({"flavour": 3, "colour": "red"}, "Parallel has no option flavour=3, colour='red'$"),
        ({"n_job": 2}, r"Parallel has no option n_job=2: did you mean n_jobs\?"),
        ({"backend": "threads", "batchsize": 2}, r"has no option batchsize=2: did you mean batch_size\?"),
    ],
)
def test_what_cannot_be_right_is_refused(options: dict[str, Any], message: str) -> None:
    """Each impossible option is one error that names it, before anything runs."""
    with pytest.raises(InvalidOption, match=message):
        Parallel(**options)


@pytest.mark.parametrize("kind", ["int64", "uint8"])
def test_whole_numbers_of_numpy_are_numbers(kind: str) -> None:
    """Whatever takes a whole number takes numpy's."""
    numpy = pytest.importorskip("numpy")
    two = getattr(numpy, kind)(2)
    call = Parallel(
        two, verbose=0 * two, timeout=20 * two, pre_dispatch=two, batch_size=two, retries=two, seed=two,
        task_timeout=20 * two, inner_max_num_threads=two, max_worker_memory=numpy.int64(4 << 30),
        max_tasks_per_worker=two,
    )  # fmt: skip
    assert call(delayed(abs)(-i) for i in range(5)) == [0, 1, 2, 3, 4]
    with parallel_config("threads", n_jobs=two, inner_max_num_threads=two, verbose=two):
        assert effective_n_jobs(None) == 2


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_seconds_and_sizes_of_numpy_are_numbers(kind: str) -> None:
    """So do options that take any number."""
    numpy = pytest.importorskip("numpy")
    some = getattr(numpy, kind)(2.5)
    retry = Retry(some // 2, backoff=some, jitter=some / 10)
    call = Parallel(2, timeout=8 * some, task_timeout=8 * some, pre_dispatch=some, retries=retry)
    assert (call.timeout, call.task_timeout) == (20.0, 20.0)
    assert call(delayed(abs)(-i) for i in range(5)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("truth", [True, "numpy"])
@pytest.mark.parametrize(
    "option",
    ["n_jobs", "timeout", "pre_dispatch", "batch_size", "retries", "seed", "task_timeout",
     "inner_max_num_threads", "max_worker_memory", "max_tasks_per_worker"],
)  # fmt: skip
def test_a_truth_value_is_no_number(option: str, truth: Any) -> None:
    """It was meant for another option, or for another library."""
    if truth == "numpy":
        truth = pytest.importorskip("numpy").bool_(True)
    for value in (truth, type(truth)(0)):
        with pytest.raises((InvalidOption, TypeError), match=option):
            Parallel(**{option: value})


def test_types_that_cannot_be_numbers_are_type_errors() -> None:
    """A list is no number of workers and no number of batches."""
    with pytest.raises(TypeError, match="n_jobs"):
        Parallel(n_jobs=[2])  # type: ignore[arg-type]  # the point of the test
    with pytest.raises(TypeError, match="pre_dispatch"):
        Parallel(pre_dispatch=[2])  # type: ignore[arg-type]  # the point of the test


def test_defaults_of_the_old_options_are_accepted() -> None:
    """What asks for what happens anyway is no error."""
    parallel = Parallel(temp_folder=None, max_nbytes=None, mmap_mode=None)
    assert Parallel(max_nbytes="1M", mmap_mode="c")([]) == parallel([]) == []


def test_attributes_tell_what_was_asked() -> None:
    """The options can be read from the object, and its repr names the number of workers."""
    parallel = Parallel("3", "threads", "generator_unordered", 1, 2.5, "all", 7)
    assert (parallel.n_jobs, parallel.verbose, parallel.timeout) == (3, 1, 2.5)
    assert (parallel.pre_dispatch, parallel.batch_size, parallel.return_as) == (
        "all",
        7,
        "generator_unordered",
    )
    assert (parallel.return_generator, parallel.return_ordered) == (True, False)
    assert repr(parallel) == "Parallel(n_jobs=3)"


@pytest.mark.parametrize(
    ("text", "value"),
    [("2 * n_jobs", 8), ("n_jobs", 4), ("-2**2 + 10", 6), ("(1+2)*3", 9), ("7//2", 3), ("7 % 4", 3),
     ("3/2", 1.5), ("2 ** 3 ** 1", 8), ("1.5*n_jobs", 6), ("--3", 3), ("10 - 3 - 2", 5), ("1e2", 100)],
)  # fmt: skip
def test_arithmetic_is_that_of_python(text: str, value: float) -> None:
    """Numbers, operators, precedence and parentheses mean what they mean in Python."""
    assert evaluate(text, 4) == value


@pytest.mark.parametrize(
    "text",
    ["", "2 +", "* 2", "(1", "1)", "1 2", "print(1)", "n_jobs()", "2 ** 999", "10 ** 7", "1/0", "(-8)**.5",
     "9" * 20, "__import__", "2 ** 2 ** 9", "2j"],
)  # fmt: skip
def test_what_is_no_arithmetic_is_refused(text: str) -> None:
    """Names, calls, unfinished and huge expressions are one clear error, and nothing is evaluated."""
    with pytest.raises(InvalidOption, match="pre_dispatch"):
        evaluate(text, 4)


def test_read_ahead() -> None:
    """Numbers count batches, texts are computed, ``"all"`` has no bound."""
    assert read_ahead("2 * n_jobs", 3) == 6
    assert read_ahead(5.9, 3) == 5
    assert read_ahead("all", 3) is None


def test_arguments_win_over_the_configuration() -> None:
    """Explicit arguments come first, then `parallel_config`, then the defaults."""
    with parallel_config("threads", n_jobs=3, verbose=0):
        assert Parallel().n_jobs == 3
        assert Parallel(2).n_jobs == 2
        with parallel_config(n_jobs=4):
            assert Parallel().n_jobs == 4
            assert Parallel().backend == "threads"
        assert Parallel().n_jobs == 3
    assert Parallel().n_jobs == 1
    assert Parallel().backend == "processes"


def test_a_configuration_holds_from_its_construction() -> None:
    """Without ``with`` it holds until `unregister`."""
    config = parallel_config("threads", n_jobs=2)
    try:
        assert Parallel().n_jobs == 2
    finally:
        config.unregister()
    assert Parallel().n_jobs == 1


def test_a_configuration_is_that_of_its_thread() -> None:
    """Another thread starts with the defaults."""
    found: list[int] = []
    with parallel_config(n_jobs=3):
        thread = threading.Thread(target=lambda: found.append(Parallel().n_jobs))
        thread.start()
        thread.join()
    assert found == [1]


def test_a_configuration_tells_what_it_set() -> None:
    """``with parallel_config(...) as settings`` gives the settings that hold."""
    with parallel_config("threads", n_jobs=3) as settings:
        assert settings["n_jobs"] == 3
        assert settings["backend"] is engine("threads")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inner_max_num_threads": 2}, "only supported when backend is not None"),
        ({"initializer": print}, "only supported when backend is not None"),
        ({"backend": "threads", "inner_max_num_threads": 0}, "inner_max_num_threads=0"),
        ({"backend": "threads", "initializer": 3}, "initializer=3 cannot be called"),
        ({"backend": "threads", "initargs": (3,)}, r"initargs=\(3,\): there is no initializer="),
        ({"backend": "nowhere"}, "backend='nowhere'"),
        ({"prefer": "x"}, "prefer='x' is not a valid"),
        ({"n_jobs": 0}, "n_jobs == 0"),
        ({"mmap_mode": "w+"}, r"mmap_mode='w\+'"),
        ({"colour": 1}, "parallel_config has no option colour=1"),
        ({"verbos": 1}, r"parallel_config has no option verbos=1: did you mean verbose\?"),
    ],
)
def test_a_configuration_that_cannot_be_right_sets_nothing(options: dict[str, Any], message: str) -> None:
    """A refused configuration leaves what held before."""
    with pytest.raises(InvalidOption, match=message):
        parallel_config(**options)
    assert Parallel().n_jobs == 1


@pytest.mark.parametrize(
    ("config", "options", "backend", "n_jobs"),
    [
        ({}, {"n_jobs": 2}, "processes", 2),
        ({}, {"n_jobs": 2, "prefer": "threads"}, "threads", 2),
        ({}, {"n_jobs": 2, "prefer": "processes"}, "processes", 2),
        ({}, {"n_jobs": 2, "require": "sharedmem"}, "threads", 2),
        ({"backend": "loky", "n_jobs": 3}, {"prefer": "threads"}, "processes", 3),
        ({"backend": "loky", "n_jobs": 3}, {"require": "sharedmem"}, "threads", 1),
        ({"backend": "loky", "n_jobs": 3}, {"require": "sharedmem", "n_jobs": 2}, "threads", 2),
        ({"backend": "threading", "n_jobs": 3}, {"prefer": "processes"}, "threads", 3),
        ({"backend": "threading", "n_jobs": 3}, {"backend": "sequential"}, "sequential", 3),
        ({"n_jobs": 3, "prefer": "threads"}, {"n_jobs": 2}, "threads", 2),
    ],
)
def test_hints(config: dict[str, Any], options: dict[str, Any], backend: str, n_jobs: int) -> None:
    """A backend that was named wins over a preference, and a requirement over a configured backend."""
    with parallel_config(**config):
        parallel = Parallel(**options)
    assert (parallel.backend, parallel.n_jobs) == (backend, n_jobs)


def test_effective_n_jobs() -> None:
    """Negative numbers count back from the cores, ``None`` asks the configuration."""
    assert effective_n_jobs(1) == 1
    assert effective_n_jobs(5) == 5
    assert effective_n_jobs(None) == 1
    assert effective_n_jobs() == effective_n_jobs(-1) == cpu_count()
    assert effective_n_jobs(-1000) == 1
    with parallel_config("threads", n_jobs=-1):
        assert effective_n_jobs(None) == cpu_count()
    with parallel_config("sequential"):
        assert effective_n_jobs(7) == 1
    with pytest.raises(InvalidOption):
        effective_n_jobs(0)


@pytest.mark.parametrize("backend", ["processes", "threads"])
@pytest.mark.parametrize("return_as", ["list", "generator"])
def test_a_timeout_may_be_as_long_as_one_likes(backend: str, return_as: ReturnAs) -> None:
    """More than the system can wait for is no limit, and no error of the clock."""
    for timeout in (1e7, 1e12, 1e300, float("inf")):
        call = Parallel(2, backend, return_as, timeout=timeout)
        assert list(call(delayed(abs)(-i) for i in range(4))) == [0, 1, 2, 3]


def test_a_timeout_that_cannot_be_kept_is_said() -> None:
    """With one worker a timeout has no effect, and a warning says so."""
    with pytest.warns(ParallelWarning, match="timeout=1.0 is not kept with one worker"):
        assert Parallel(1, timeout=1)([delayed(abs)(-1)]) == [1]


def test_the_engine_is_told_what_was_asked() -> None:
    """Number of workers and inner threads reach the engine."""
    scripted = ScriptedEngine()
    Parallel(3, scripted)([delayed(abs)(-1)] * 2)
    assert scripted.sessions[0].request.n_jobs == 3
    assert scripted.sessions[0].request.inner_threads is None


def test_parallel_backend_is_the_older_form_of_parallel_config() -> None:
    """It needs a backend, and means all workers, whatever was set around it."""
    with parallel_config(n_jobs=2, verbose=0), parallel_backend("threads") as (backend, n_jobs):
        assert (backend, n_jobs) == (engine("threads"), -1)
        assert effective_n_jobs(None) == cpu_count()
        assert Parallel()(delayed(threading.get_ident)() for _ in range(2))[0] != threading.get_ident()
    with parallel_backend("processes", 2, inner_max_num_threads=1), parallel_backend("threading", n_jobs=3):
        assert effective_n_jobs(None) == 3
    standing = parallel_backend("threads", 3)
    assert isinstance(standing, parallel_config)
    assert effective_n_jobs(None) == 3
    standing.unregister()
    assert effective_n_jobs(None) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((None,), "backend=None: give a backend"),
        (("threads", 0), "n_jobs == 0"),
        (("threads", 2, 0), "inner_max_num_threads=0"),
        (("nowhere",), "backend='nowhere' is not known"),
    ],
)
def test_parallel_backend_sets_nothing_if_it_refuses(arguments: tuple[Any, ...], message: str) -> None:
    """One clear error."""
    with pytest.raises(InvalidOption, match=message):
        parallel_backend(*arguments)
    assert effective_n_jobs(None) == 1
