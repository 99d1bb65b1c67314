"""Parallel calls from wherever people make them: daemons, forked servers, notebooks, small machines."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel

from lightwork import cpu_count
from tests.torture.watchdog import environment, run, run_command

HEAD = "from lightwork import Parallel, delayed\n"

pytestmark = [
    pytest.mark.torture,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="worker processes need Linux"),
]


DOUBLE = HEAD + "def double(x): return 2 * x\nprint(Parallel(2)(delayed(double)(i) for i in range(4)))\n"


@pytest.mark.parametrize("way", ["-c", "-m", "stdin", "a pipe", "a module of a package"])
def test_however_python_was_started(way: str, tmp_path: Path) -> None:
    """Functions of ``__main__`` work, though there may be no file that a worker could import."""
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "inside.py").write_text(DOUBLE)
    (tmp_path / "outside.py").write_text(DOUBLE)
    command, given = {
        "-c": (["-c", DOUBLE], None),
        "-m": (["-m", "outside"], None),
        "stdin": (["-"], DOUBLE),
        "a pipe": ([], DOUBLE),
        "a module of a package": (["-m", "package.inside"], None),
    }[way]
    printed = run_command([sys.executable, "-W", "error", *command], tmp_path, given=given)
    assert printed == "[0, 2, 4, 6]\n"


@pytest.mark.parametrize("backend", ["processes", "threads"])
def test_threads_that_call_at_once(backend: str, tmp_path: Path) -> None:
    """Calls of several threads, none of them the main one, run at once and do not mix."""
    printed = run(
        tmp_path,
        f"""
        import threading
        found = {{}}
        def call(k):
            for _ in range(5):
                found[k] = Parallel(2, "{backend}")(delayed(pow)(i, k) for i in range(50))
        threads = [threading.Thread(target=call, args=(k,)) for k in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(found == {{k: [i ** k for i in range(50)] for k in range(4)}})
        """,
    )
    assert printed == "True\n"


@pytest.mark.parametrize("backend", ["processes", "threads"])
def test_a_pool_that_is_resized_with_work_in_flight(backend: str, tmp_path: Path) -> None:
    """12, 2, 1, 12, 6, 1, 8, 5 workers, from several threads at once."""
    printed = run(
        tmp_path,
        f"""
        import threading, time
        def work(i):
            time.sleep(0.001)
            return i
        def call(shift):
            sizes = [12, 2, 1, 12, 6, 1, 8, 5]
            for n in sizes[shift:] + sizes[:shift]:
                assert Parallel(n, "{backend}")(delayed(work)(i) for i in range(30)) == list(range(30))
                g = Parallel(n, "{backend}", return_as="generator")(delayed(work)(i) for i in range(30))
                assert next(g) == 0
                ended.append(n)
        ended = []
        threads = [threading.Thread(target=call, args=(k,)) for k in (0, 3, 5)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(len(ended))
        """,
    )
    assert printed == "24\n"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_daemonic_process_has_real_workers(method: str, tmp_path: Path) -> None:
    """``multiprocessing`` forbids its daemons to have children of its kind; these are of another."""
    printed = run(
        tmp_path,
        f"""
        import multiprocessing, os
        def inside(queue):
            assert multiprocessing.current_process().daemon
            pids = Parallel(2, batch_size=1)(delayed(os.getpid)() for i in range(8))
            queue.put((os.getpid() not in pids, sorted(set(pids)) != []))
        if __name__ == "__main__":
            context = multiprocessing.get_context("{method}")
            queue = context.SimpleQueue()
            process = context.Process(target=inside, args=(queue,), daemon=True)
            process.start()
            print(queue.get())
            process.join()
        """,
    )
    assert printed == "(True, True)\n"


@pytest.mark.parametrize("blas", [False, True])
def test_children_of_a_prefork_server_share_out(blas: bool, tmp_path: Path) -> None:
    """As with Celery and gunicorn: the parent used a pool, threads and BLAS; its children serve, and fork."""
    printed = run(
        tmp_path,
        f"""
        import os, signal, threading
        if {blas}:
            import numpy
            numpy.ones((300, 300)) @ numpy.ones((300, 300))
        def total(n): return sum(Parallel(2)(delayed(abs)(-i) for i in range(n)))
        def threaded(n): return sum(Parallel(2, "threads")(delayed(abs)(-i) for i in range(n)))
        assert total(20) == threaded(20) == 190
        stop = threading.Event()
        threading.Thread(target=stop.wait, daemon=True).start()
        def serve(levels):
            signal.alarm(40)
            good = all(total(20) == threaded(20) == 190 for _ in range(3))
            if levels:
                child = os.fork()
                if child == 0: serve(levels - 1)
                good = good and os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            os._exit(0 if good else 1)
        children = []
        for _ in range(3):
            pid = os.fork()
            if pid == 0: serve(1)
            children.append(pid)
        assert total(20) == 190
        print([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children], total(20))
        """,
    )
    assert printed == "[0, 0, 0] 190\n"


def test_a_pool_of_multiprocessing_that_was_forked_after_ours(tmp_path: Path) -> None:
    """Its daemonic workers, forked while our pool was warm, share out themselves."""
    printed = run(
        tmp_path,
        """
        import multiprocessing, os
        def total(n): return sum(Parallel(2)(delayed(abs)(-i) for i in range(n)))
        if __name__ == "__main__":
            total(4)
            with multiprocessing.get_context("fork").Pool(2) as pool:
                print(pool.map(total, [5, 10, 15, 20]), total(20))
        """,
    )
    assert printed == "[10, 45, 105, 190] 190\n"


def test_a_notebook(tmp_path: Path) -> None:
    """Functions of cells, redefined ones too, in a real kernel, before and after it is restarted."""
    manager, client = start_new_kernel(
        env=environment("notebook", IPYTHONDIR=str(tmp_path), JUPYTER_PLATFORM_DIRS="1"), cwd=str(tmp_path)
    )
    said: list[str] = []

    def hear(message: dict[str, dict[str, str]]) -> None:
        said.append(message["content"].get("text", "") or message["content"].get("evalue", ""))

    try:
        for _ in range(2):
            for factor in (2, 3):
                cell = (
                    HEAD
                    + f"def f(x): return {factor} * x\nprint(Parallel(2)(delayed(f)(i) for i in range(3)))"
                )
                said.clear()
                answer = client.execute_interactive(cell, output_hook=hear, timeout=40)
                assert answer["content"]["status"] == "ok", said
                assert "".join(said) == f"{[factor * i for i in range(3)]}\n"
            manager.restart_kernel(now=True)
            client.wait_for_ready(timeout=40)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


SHARED = """
import numpy as np
from lightwork import Parallel, delayed
array = np.ones(1_500_000)  # 12 MB
def total(x, i):
    x[i] = i
    return float(x.sum())
for _ in range(3):
    found = Parallel(2)(delayed(total)(array, i) for i in range(8))
    assert found == [float(len(array) - 1 + i) for i in range(8)], found
parts = Parallel(2)(delayed(np.full)(1_200_000, i) for i in range(4))
print([float(part[-1]) for part in parts])
"""


@pytest.mark.parametrize(
    "before",
    [
        "mount -t tmpfs -o size=8m tmpfs /dev/shm",
        "mount -t tmpfs -o size=8m tmpfs /dev/shm && head -c 9000000 /dev/zero > /dev/shm/full; true",
        "mount -t tmpfs -o size=8m,ro tmpfs /dev/shm",
        "mount -t tmpfs -o size=8m tmpfs /dev && for f in null zero urandom; do mknod /dev/$f c 1 3; done",
        "mount -t tmpfs -o size=8m,ro tmpfs /tmp",
    ],
    ids=["8 MB", "full", "read-only", "absent", "no temporary files"],
)
def test_without_shared_memory_files(before: str, tmp_path: Path) -> None:
    """Arrays are shared whatever ``/dev/shm`` is like, as in containers and functions of the cloud."""
    isolated = ["unshare", "-m", "sh", "-c"]
    # Its output goes to a file: it may complain that the disk is full, as it should be.
    if (
        shutil.which("unshare") is None
        or subprocess.run([*isolated, before], capture_output=True, timeout=30).returncode
    ):
        pytest.skip("mounting in a private name space is not permitted here")
    work = f"({before}) 2>{tmp_path}/log; exec {sys.executable} -W error -c '{SHARED}'"
    # From a folder that all of this leaves in its place.
    printed = run_command([*isolated, work], tmp_path, {"OPENBLAS_NUM_THREADS": "1"}, cwd=Path("/"))
    assert printed == "[0.0, 1.0, 2.0, 3.0]\n"


RUNNABLE = """
import os, subprocess, sys, time
import numpy as np
from lightwork import Parallel, cpu_count, delayed
outer, inner = sys.argv[1:]
def heavy(i):
    a = np.ones((400, 400))
    end = time.monotonic() + 0.4
    while time.monotonic() < end:
        a @ a
def middle(i):
    Parallel(4, inner)(delayed(heavy)(k) for k in range(4))
heavy.__module__ = middle.__module__ = "__main__"
WATCH = '''
import os, sys, time
top, seen = sys.argv[1], []
print("ready", flush=True)
def family():
    parents, found = {}, {top}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try: parents[name] = open(f"/proc/{name}/stat").read().rpartition(")")[2].split()[1]
            except OSError: pass
    for _ in range(6):
        found |= {name for name, parent in parents.items() if parent in found}
    return found - {str(os.getpid())}
while os.getppid() == int(top):
    running = 0
    for pid in family():
        try: tasks = os.listdir(f"/proc/{pid}/task")
        except OSError: continue
        for task in tasks:
            try: running += open(f"/proc/{pid}/task/{task}/stat").read().rpartition(")")[2].split()[0] == "R"
            except OSError: pass
    seen.append(running)
    if os.path.exists(sys.argv[2]): break
    time.sleep(0.01)
seen.sort()
print(len(seen), seen[len(seen) // 2], seen[int(len(seen) * 0.95)])
'''
command = [sys.executable, "-S", "-c", WATCH, str(os.getpid()), "ended"]
with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watch:
    watch.stdout.readline()
    Parallel(cpu_count(), outer)(delayed(middle)(i) for i in range(2 * cpu_count()))
    open("ended", "w").close()
    print(cpu_count(), watch.stdout.read())
"""


@pytest.mark.slow
@pytest.mark.skipif(cpu_count() == 1, reason="a call with one worker is a plain loop: it shares out no cores")
@pytest.mark.parametrize("outer", ["processes", "threads"])
@pytest.mark.parametrize("inner", ["processes", "threads"])
def test_no_more_threads_run_than_there_are_cores(outer: str, inner: str, tmp_path: Path) -> None:
    """One worker per core, four in each of its tasks, and BLAS in those: all of them share the cores."""
    command = [sys.executable, "-W", "error", "-c", RUNNABLE, outer, inner]
    cores, samples, median, most = map(int, run_command(command, tmp_path).split())
    assert samples > 20
    assert 1 <= median <= most <= cores + 1
