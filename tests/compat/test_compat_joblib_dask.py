"""Clusters of Dask as a backend of joblib's face: real ones, of two processes.

Each test runs a program of its own: an alias is for a whole process, and the workers must get theirs from the
calls, not from a main module that installs it in them too.
"""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="distributed is not installed (lightwork[dask])")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

PRELUDE = """
import os, signal, sys, threading, warnings

def touch(name):
    "Whether this is the first time."
    try:
        os.close(os.open(name, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True

def cluster(workers=2, threads=1, **options):
    from distributed import LocalCluster
    return LocalCluster(n_workers=workers, threads_per_worker=threads, dashboard_address=":0", **options)

def raised(kind, function):
    try:
        function()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")

def main():
    import lightwork.compat
    lightwork.compat.install()
    import joblib
    from distributed import Client, Event, get_worker
    from joblib import Parallel, delayed, parallel_config
"""


def run(tmp_path: Path, program: str) -> None:
    """Run the body of `main`. It is a file, since workers import the main module."""
    text = PRELUDE + textwrap.indent(textwrap.dedent(program), "    ")
    path = tmp_path / "program.py"
    path.write_text(f"{text}\nif __name__ == '__main__':\n    main()\n")
    done = subprocess.run([sys.executable, str(path)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_grid_search_runs_in_workers_that_have_the_alias(tmp_path: Path) -> None:
    """scikit-learn's results are those of one process, and no process has joblib itself."""
    run(
        tmp_path,
        """
        def joblibs():
            import importlib.metadata, sys
            real = str(importlib.metadata.distribution("joblib").locate_file("joblib")) + "/"
            files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
            theirs = [file for file in files if file.startswith(real)]
            return sys.modules["joblib"] is sys.modules["lightwork.compat.joblib"], theirs

        from sklearn.datasets import load_iris
        from sklearn.model_selection import GridSearchCV
        from sklearn.tree import DecisionTreeClassifier
        data, target = load_iris(return_X_y=True)

        def search():
            grid = {"max_depth": [1, 2, 3], "min_samples_leaf": [1, 5]}
            found = GridSearchCV(DecisionTreeClassifier(random_state=0), grid, cv=3).fit(data, target)
            return found.cv_results_["mean_test_score"].tolist(), found.best_params_

        expected = search()
        with cluster() as two, Client(two) as client:
            assert "joblib" not in client.run(lambda: "joblib" if "joblib" in sys.modules else "").values()
            with parallel_config(backend="dask"):
                assert search() == expected
            assert list(client.run(joblibs).values()) == [(True, [])] * 2
        assert joblibs() == (True, [])
        """,
    )


def test_a_worker_that_has_joblib_itself_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    """The two would mix there. After a restart of the worker the call runs."""
    run(
        tmp_path,
        """
        def load():
            import joblib
            return "lightwork" in joblib.__file__

        with cluster() as two, Client(two) as client:
            assert not any(client.run(load).values())
            with parallel_config(backend="dask"):
                error = raised(ImportError, lambda: Parallel()(delayed(load)() for _ in range(4)))
                assert "client.restart()" in str(error), error
                client.restart()
                assert Parallel()(delayed(load)() for _ in range(4)) == [True] * 4
        """,
    )


@pytest.mark.parametrize(("workers", "threads"), [(1, 2), (2, 1)])
def test_a_killed_worker_costs_no_result(tmp_path: Path, workers: int, threads: int) -> None:
    """Its batches run again, and what was scattered to it alone is sent again."""
    run(
        tmp_path,
        f"""
        import numpy
        array = numpy.ones(200_000)

        def task(array, i):
            if i in (3, 5) and touch(f"killed-{{i}}"):
                os.kill(os.getpid(), signal.SIGKILL)
            return float(array.sum()) + i

        with cluster({workers}, {threads}) as some, Client(some) as client:
            with parallel_config(backend="dask"):
                results = Parallel(batch_size=1)(delayed(task)(array, i) for i in range(10))
            assert results == [200_000.0 + i for i in range(10)], results
            assert os.path.exists("killed-3") and os.path.exists("killed-5")
        """,
    )


def test_what_scatter_names_survives_its_worker(tmp_path: Path) -> None:
    """It is sent anew, and tasks get the object of their worker."""
    run(
        tmp_path,
        """
        table = {i: str(i) for i in range(10_000)}

        def task(table, i):
            if i == 3 and touch("killed"):
                os.kill(os.getpid(), signal.SIGKILL)
            return table[i], id(table)

        with cluster(1, 2) as one, Client(one), parallel_config(backend="dask", scatter=[table]):
            results = Parallel(batch_size=1)(delayed(task)(table, i) for i in range(10))
            assert [text for text, _ in results] == [str(i) for i in range(10)]
            again = Parallel(batch_size=1)(delayed(task)(table, i) for i in range(10))
            assert len({key for _, key in again}) == 1
        """,
    )


def test_a_task_that_kills_each_worker_ends_in_an_error(tmp_path: Path) -> None:
    """Dask's own, after as many workers as it allows; the next call runs."""
    run(
        tmp_path,
        """
        from distributed import KilledWorker

        def task(i):
            if i == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            return i

        with cluster(scheduler_kwargs={"allowed_failures": 1}) as two, Client(two):
            with parallel_config(backend="dask"):
                raised(KilledWorker, lambda: Parallel(batch_size=1)(delayed(task)(i) for i in range(8)))
                assert Parallel()(delayed(task)(i) for i in range(2)) == [0, 1]
        """,
    )


ABORTED = """
def task(i):
    touch(f"ran-{i}")
    Event("started").set()
    if i < 2:
        Event("go").wait()
    return i

def tasks_of_worker(dask_worker):
    return len(dask_worker.state.tasks)

def tasks_of_scheduler(dask_scheduler):
    return len(dask_scheduler.tasks)

def ran():
    return sorted(int(name[4:]) for name in os.listdir() if name.startswith("ran-"))

with cluster() as two, Client(two) as client, parallel_config(backend="dask"):
    started, go = Event("started"), Event("go")
    %s
    while sum(client.run(tasks_of_worker).values()) > 2:  # Dask tells nobody: ask until it is so
        pass
    go.set()
    assert Parallel()(delayed(abs)(-i) for i in range(8)) == list(range(8))
    assert set(ran()) <= {0, 1}, ran()
    while client.futures or client.run_on_scheduler(tasks_of_scheduler):
        pass
"""

WAYS = {
    "interrupted": """
    def interrupt():
        started.wait()
        os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=interrupt).start()
    raised(KeyboardInterrupt, lambda: Parallel(batch_size=1)(delayed(task)(i) for i in range(20)))""",
    "timeout": """
    from concurrent.futures import TimeoutError
    raised(TimeoutError, lambda: Parallel(batch_size=1, timeout=1)(delayed(task)(i) for i in range(20)))""",
    "generator": """
    results = Parallel(batch_size=1, return_as="generator")(delayed(task)(i) for i in range(20))
    started.wait()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        del results
    assert ["have been cancelled" in str(each.message) for each in told] == [True], told""",
    "input": """
    def tasks():
        yield delayed(task)(0)
        yield delayed(task)(1)
        started.wait()
        raise ZeroDivisionError
    raised(ZeroDivisionError, lambda: Parallel(batch_size=1, pre_dispatch="all")(tasks()))""",
}


@pytest.mark.parametrize("way", WAYS)
def test_what_has_not_begun_is_cancelled(tmp_path: Path, way: str) -> None:
    """A call that is given up leaves nothing behind, and the next one runs."""
    run(tmp_path, ABORTED % WAYS[way].strip())


def test_calls_at_the_same_time_have_their_own_tasks(tmp_path: Path) -> None:
    """Two generators of one context both end, and one that is dropped leaves the other alone."""
    run(
        tmp_path,
        """
        def call(function=abs):
            return Parallel(batch_size=1, return_as="generator")(delayed(function)(-i) for i in range(12))

        with cluster() as two, Client(two), parallel_config(backend="dask"):
            first, second = call(), call()
            assert list(zip(first, second)) == [(i, i) for i in range(12)]
            first, second = call(), call()
            assert (next(first), next(second)) == (0, 0)
            with warnings.catch_warnings(action="ignore"):
                first.close()
            assert list(second) == list(range(1, 12))
            with Parallel() as one, Parallel() as other:
                assert one(delayed(abs)(-i) for i in range(4)) == other(delayed(abs)(i) for i in range(4))
        """,
    )


def test_nested_calls_run_on_the_cluster_and_cannot_block_each_other(tmp_path: Path) -> None:
    """More tasks wait for calls of their own than there are threads."""
    run(
        tmp_path,
        """
        def inner(i, j):
            return i * j, get_worker().address

        def outer(i):
            parallel = Parallel()
            return type(parallel._backend).__name__, parallel(delayed(inner)(i, j) for j in range(6))

        with cluster() as two, Client(two), parallel_config(backend="dask"):
            results = Parallel(batch_size=1)(delayed(outer)(i) for i in range(6))
            assert {name for name, _ in results} == {"DaskDistributedBackend"}
            assert [[value for value, _ in found] for _, found in results] == [
                [i * j for j in range(6)] for i in range(6)
            ]
            assert len({address for _, found in results for _, address in found}) == 2

            def tasks():  # the input makes calls itself
                for i in range(4):
                    (value,) = Parallel()([delayed(abs)(-i)])
                    yield delayed(abs)(value)
            assert Parallel(batch_size=1, pre_dispatch=2)(tasks()) == [0, 1, 2, 3]
        """,
    )


def test_options_reach_dask(tmp_path: Path) -> None:
    """Those of `submit`, futures among the arguments, errors with the traceback of the worker."""
    run(
        tmp_path,
        """
        def address(_):
            return get_worker().address

        def flaky(i):
            if touch(f"failed-{i}"):
                raise OSError(i)
            return i

        with cluster() as two, Client(two) as client:
            for worker in client.nthreads():
                with parallel_config(backend="dask", workers=worker):
                    assert set(Parallel()(delayed(address)(i) for i in range(6))) == {worker}
            with parallel_config(backend="dask", retries=1):
                assert Parallel(batch_size=1)(delayed(flaky)(i) for i in range(4)) == [0, 1, 2, 3]
            with parallel_config(backend="dask"):
                error = raised(OSError, lambda: Parallel()(delayed(flaky)(i) for i in range(4, 8)))
                assert "in flaky" in str(error.__cause__)
                future = client.submit(pow, 2, 5)
                assert Parallel()(delayed(divmod)(future, i) for i in (3, 5)) == [(10, 2), (6, 2)]
                lock = threading.Lock()
                raised(Exception, lambda: Parallel()(delayed(id)(lock) for _ in range(4)))
                raised(TypeError, lambda: Parallel()(delayed(threading.Lock)() for _ in range(4)))
                assert Parallel(backend="dask")(delayed(abs)(-i) for i in range(4)) == [0, 1, 2, 3]
        """,
    )


def test_a_client_that_is_closed_meanwhile_ends_the_call(tmp_path: Path) -> None:
    """In an error, whoever waits for the results."""
    run(
        tmp_path,
        """
        def task(i):
            Event("started").set()
            Event("never").wait()

        with cluster() as two:
            client = Client(two)
            started = Event("started")

            def close():
                started.wait()
                client.close()

            with parallel_config(backend="dask"):
                threading.Thread(target=close).start()
                raised(Exception, lambda: Parallel()(delayed(task)(i) for i in range(8)))
        """,
    )


def test_bad_options_are_errors_before_anything_is_sent(tmp_path: Path) -> None:
    """They name what was given."""
    run(
        tmp_path,
        """
        from joblib._dask import DaskDistributedBackend
        error = raised(ValueError, lambda: parallel_config(backend="dask"))
        assert "create a dask client" in str(error).lower()
        with Client(processes=False, dashboard_address=":0"):
            assert "scatter" in str(raised(TypeError, lambda: DaskDistributedBackend(scatter=1)))
            assert "speed" in str(raised(TypeError, lambda: DaskDistributedBackend(speed=1)))
            assert "client=3" in str(raised(TypeError, lambda: DaskDistributedBackend(client=3)))
            for patience in (-1, "long", True):
                error = raised(ValueError, lambda: DaskDistributedBackend(wait_for_workers_timeout=patience))
                assert repr(patience) in str(error)
            with parallel_config(backend="dask"):
                raised(ValueError, lambda: Parallel(n_jobs=0)([delayed(abs)(1)]))
                assert Parallel()(delayed(abs)(-i) for i in range(4)) == [0, 1, 2, 3]
        """,
    )


def test_without_dask_the_backend_says_what_to_install(tmp_path: Path) -> None:
    """As the right kind of error, whether it is asked for by name or made."""
    run(
        tmp_path,
        """
        from joblib._dask import DaskDistributedBackend
        sys.modules["distributed"] = None
        for ask in (lambda: parallel_config("dask"), DaskDistributedBackend):
            assert "Please install dask" in str(raised(ValueError, ask))
        """,
    )


def test_a_worker_may_have_the_alias_before(tmp_path: Path) -> None:
    """From a module that it loads at its start; what imports joblib after that gets lightwork."""
    (tmp_path / "preloaded.py").write_text(
        "import lightwork.compat\nlightwork.compat.install()\nimport joblib\n"
    )
    run(
        tmp_path,
        """
        def load():
            import joblib
            return "lightwork" in joblib.__file__

        with cluster(preload=["preloaded.py"]) as two, Client(two) as client, parallel_config("dask"):
            assert list(client.run(load).values()) == [True, True]
            assert Parallel()(delayed(load)() for _ in range(4)) == [True] * 4
        """,
    )
