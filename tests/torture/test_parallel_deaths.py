"""Item 3 of the list in README.md: workers that die at each point of the life of a task."""

from pathlib import Path

import pytest

from tests.torture.watchdog import LONG, run

pytestmark = [
    pytest.mark.torture,
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="worker processes need Linux"),
]

DYING = """
    import ctypes
    from lightwork.errors import WorkerDied
    def die(): {way}
    def die_soon(seconds): threading.Timer(seconds, die).start()
    class Built:
        def __init__(self, *parts): self.parts = parts
        def __reduce__(self): return self.parts[0], self.parts[1:]
    class Deadly:
        def __reduce__(self): die()
    class DeadlyFunction:
        def __reduce__(self): return die, ()
        def __call__(self): pass
    class DiesLast:
        def __del__(self): die()
    def dies_in_the_middle():
        die_soon(0.002)
        while True: pass
    def dies_at_the_end():
        last = DiesLast()
        return 7
    def large_result_that_dies():
        die_soon(0.002 + 0.0001 * (os.getpid() % 50))
        return b"x" * (64 << 20)
    def dies_afterwards():
        die_soon(0.0001 * (os.getpid() % 20))
        return 7
"""

WAYS = {
    "SIGKILL": "os.kill(os.getpid(), signal.SIGKILL)",
    "os._exit": "os._exit(3)",
    "SIGSEGV": "ctypes.string_at(0)",
    "SIGABRT": "os.abort()",
}
CHOSEN = list(WAYS) if LONG else ["SIGKILL", "os._exit"]

POINTS = {
    "the function is rebuilt": "delayed(DeadlyFunction())()",
    "the first argument is rebuilt": "delayed(max)(Built(die), 1, bytes(99))",
    "the last argument is rebuilt": "delayed(max)(1, bytes(9_000_000), Built(die))",
    "the call begins": "delayed(die)()",
    "the call runs": "delayed(dies_in_the_middle)()",
    "the call ends": "delayed(dies_at_the_end)()",
    "the pickling of the result begins": "delayed(Deadly)()",
    "the result is being pickled": "delayed(lambda: [bytes(9_000_000), Deadly(), bytes(9_000_000)])()",
    "the pickling of the result ends": "delayed(lambda: [list(range(99_999)), Deadly()])()",
}


@pytest.mark.parametrize("way", CHOSEN)
@pytest.mark.parametrize("batch_size", [1, 5])
def test_a_death_at_any_point_costs_its_own_task_only(tmp_path: Path, way: str, batch_size: int) -> None:
    """One `WorkerDied` in the place of that task, all other results, and the next call works."""
    calls = "\n        ".join(f"{name!r}: {call}," for name, call in POINTS.items())
    printed = run(
        tmp_path,
        DYING.format(way=WAYS[way])
        + f"""
    points = {{
        {calls}
    }}
    for name, call in points.items():
        calls = [delayed(abs)(-i) for i in range(20)]
        calls[7] = call
        found = Parallel(2, on_error="return", batch_size={batch_size})(calls)
        failure = found.pop(7)
        assert found == [i for i in range(20) if i != 7], (name, found)
        assert (failure.index, type(failure.error)) == (7, WorkerDied), (name, failure)
        assert Parallel(2)(delayed(abs)(-i) for i in range(9)) == list(range(9)), name
    print(len(points))
        """,
    )
    assert printed == "9\n"


@pytest.mark.parametrize("way", CHOSEN)
def test_a_death_while_a_result_is_sent_or_after_it(tmp_path: Path, way: str) -> None:
    """The result is there whole, or the task that then ran is `WorkerDied`. Nothing is torn or lost."""
    printed = run(
        tmp_path,
        DYING.format(way=WAYS[way])
        + """
    for call, value in ((large_result_that_dies, b"x" * (64 << 20)), (dies_afterwards, 7)):
        for _ in range(4):
            calls = [delayed(abs)(-i) for i in range(20)]
            calls[7] = delayed(call)()
            found = Parallel(2, on_error="return", batch_size=1)(calls)
            failures = [each for each in found if isinstance(each, Failure)]
            assert len(failures) <= 1 and all(type(each.error) is WorkerDied for each in failures), failures
            for i, each in enumerate(found):
                assert isinstance(each, Failure) and each.index == i or each == (value if i == 7 else i), i
            assert Parallel(2)(delayed(abs)(-i) for i in range(9)) == list(range(9))
    print("done")
        """,
    )
    assert printed == "done\n"


@pytest.mark.parametrize("number", ["SIGKILL", "SIGTERM", "SIGINT", "SIGSEGV"])
def test_workers_that_die_before_their_task_cost_nothing(tmp_path: Path, number: str) -> None:
    """Killed while they are idle, just before or while the next call is sent: all results are there."""
    printed = run(
        tmp_path,
        f"""
        def pids():
            return set(Parallel(2, batch_size=1)(delayed(os.getpid)() for i in range(8)))
        for turn in range(5):
            for pid in pids():
                try: os.kill(pid, signal.{number})
                except ProcessLookupError: pass  # it left as it was no longer needed
            found = Parallel(2, retries=1)(delayed(abs)(-i) for i in range(20))
            assert found == list(range(20))
        print("done")
        """,
    )
    assert printed == "done\n"


@pytest.mark.parametrize("return_as", ["generator", "generator_unordered"])
def test_a_block_that_ends_while_its_pool_breaks(tmp_path: Path, return_as: str) -> None:
    """Leaving the block neither hangs nor raises, whoever dies at that moment; the next one works."""
    printed = run(
        tmp_path,
        f"""
        from lightwork.errors import WorkerDied
        def work(i):
            if i % 5 == 4: os.kill(os.getpid(), signal.SIGKILL)
            return os.getpid(), os.getppid()
        def kill(pids):
            for pid in pids:
                try: os.kill(pid, signal.SIGKILL)
                except ProcessLookupError: pass
        for turn in range(6):
            with Parallel(2, return_as="{return_as}", batch_size=1) as parallel:
                try: next(parallel(delayed(work)(i) for i in range(40)))
                except WorkerDied: pass  # task 4 ended on one worker before task 0 on the other
            with Parallel(2, return_as="{return_as}", batch_size=1, on_error="skip") as parallel:
                worker, template = next(parallel(delayed(work)(i) for i in range(40)))
                victims = [worker, template] if turn % 2 else [worker]
                killing = threading.Timer(0.0005 * turn, kill, (victims,))
                killing.start()
            with Parallel(2, retries=3) as parallel:  # the killing may come only now
                assert parallel(delayed(time.sleep)(0) for i in range(20)) == [None] * 20
                killing.join()
            assert Parallel(2)(delayed(abs)(-i) for i in range(9)) == list(range(9))
        print("done")
        """,
    )
    assert printed == "done\n"
