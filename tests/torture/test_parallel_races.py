"""Items 5, 7, 11, 12, 15 and 17 of the list in README.md: what meets at a bad moment."""

import random
import time
from pathlib import Path

import pytest

from lightwork.protocols import Batch
from tests.torture.watchdog import run
from tests.unit.engines.processes.driving import collect, open_session, running_engine, task

pytestmark = [
    pytest.mark.torture,
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="worker processes need Linux"),
]


@pytest.mark.parametrize("backend", ["processes", "threads"])
@pytest.mark.parametrize("return_as", ["list", "generator", "generator_unordered"])
def test_inputs_and_readers_that_misbehave(tmp_path: Path, backend: str, return_as: str) -> None:
    """Item 5: 1,000 short tasks; none; inputs that raise or share out themselves; readers that go away."""
    printed = run(
        tmp_path,
        f"""
        import gc
        def parallel(): return Parallel(2, "{backend}", "{return_as}")
        def numbers(n, fails=None):
            for i in range(n):
                if i == fails: raise KeyError(i)
                yield delayed(abs)(-i)
        def nested(n):
            for i in range(n):
                yield delayed(abs)(sum(Parallel(2, "{backend}")(numbers(i))))
        def sleepy(i):
            time.sleep(0.001)
            return i
        assert sorted(parallel()(delayed(sleepy)(i) for i in range(1000))) == list(range(1000))
        assert list(parallel()([])) == list(parallel()(numbers(0))) == []
        for fails in (0, 1, 25, 49):
            try: list(parallel()(numbers(50, fails)))
            except KeyError as error: assert error.args == (fails,)
            else: raise AssertionError
        assert sorted(parallel()(nested(12))) == [i * (i - 1) // 2 for i in range(12)]
        if "{return_as}" != "list":
            for turn in range(5):
                results = parallel()(numbers(10**6))
                cycle = [results, next(results)]
                cycle.append(cycle)
                del results, cycle
                gc.collect()
                gate = threading.Event()
                def blocked():
                    yield delayed(abs)(-1)
                    gate.wait(30)
                results = parallel()(blocked())
                results.close()
                gate.set()
        assert sorted(parallel()(numbers(50))) == list(range(50))
        print("done")
        """,
    )
    assert printed == "done\n"


class Slow:
    """An argument that takes a while to pickle."""

    def __init__(self, number: int, seconds: float) -> None:
        self.number = number
        self.seconds = seconds

    def __reduce__(self) -> tuple[object, ...]:
        time.sleep(self.seconds)
        return int, (self.number,)


def test_workers_that_want_to_leave_while_their_next_task_is_pickled() -> None:
    """Item 7: whether the idle worker leaves before, during or after, the task runs once and is not lost."""
    chance = random.Random()
    with running_engine() as engine:
        for turn in range(8):
            session = open_session(engine, slots=2, idle_worker_timeout=chance.choice([0.001, 0.004, 0.008]))
            for index in range(8):
                argument = Slow(index, chance.uniform(0, 0.008))
                session.send(index % 2, Batch(index, [task(abs, argument)]))
            found = collect(session, 8)
            session.close(abort=turn % 3 == 0)
            assert (found.values, found.errors, found.losses) == ({i: i for i in range(8)}, {}, [])
            time.sleep(chance.uniform(0, 0.01))  # the moment at which the next session comes


FOREIGN = """
    from concurrent.futures import ThreadPoolExecutor
    from queue import Empty, SimpleQueue
    from lightwork.protocols import Done, Failed, Returned
    class Foreign:
        # As a cluster's client does: answers come in threads of its own, in any order.
        name, shares_memory = "foreign", True
        def effective_n_jobs(self, n_jobs): return n_jobs
        def shutdown(self): pass
        def open(self, request): return Session(request)
    class Session:
        def __init__(self, request):
            self.events, self.run = SimpleQueue(), request.runner.start(lambda index, what: None)
            self.pools = [ThreadPoolExecutor(1) for _ in range(request.n_jobs)]
            self.answers = ThreadPoolExecutor(3)
        def send(self, slot, batch):
            for index, call in enumerate(batch.calls, batch.start):
                future = self.pools[slot].submit(self.run, index, call)
                future.add_done_callback(lambda future, index=index: self.answer(slot, index, future))
        def answer(self, slot, index, future):
            if future.cancelled(): return
            def tell():
                assert Parallel(2, "threads")(delayed(abs)(-i) for i in range(2)) == [0, 1]
                error = future.exception()
                if error is None: self.events.put(Done(slot, index, [future.result()], 0.001))
                else: self.events.put(Failed(slot, index, error, 0.001))
            self.answers.submit(tell).result()
        def take_back(self, slot): self.answers.submit(self.events.put, Returned(slot, 0, 0))
        def wait(self, timeout):
            try: event = self.events.get(timeout=timeout)
            except Empty: return []
            return [] if event is None else [event]
        def wake(self): self.events.put(None)
        def close(self, *, abort):
            for pool in self.pools: pool.shutdown(cancel_futures=True)
            self.answers.shutdown()
"""


@pytest.mark.parametrize("return_as", ["list", "generator", "generator_unordered"])
def test_an_engine_that_answers_in_threads_of_its_own(tmp_path: Path, return_as: str) -> None:
    """Item 11: the answers come from threads that nobody knows, and which share out work themselves."""
    printed = run(
        tmp_path,
        FOREIGN
        + f"""
    def work(i):
        if i == 17: raise KeyError(i)
        return i
    for turn in range(3):
        parallel = Parallel(3, Foreign(), "{return_as}")
        assert sorted(parallel(delayed(abs)(-i) for i in range(60))) == list(range(60))
        try: list(parallel(delayed(work)(i) for i in range(60)))
        except KeyError as error: assert error.args == (17,)
        else: raise AssertionError
        skipping = Parallel(3, Foreign(), "{return_as}", on_error="skip")
        found = list(skipping(delayed(work)(i) for i in range(60)))
        assert sorted(found) == [i for i in range(60) if i != 17]
    print("done")
        """,
    )
    assert printed == "done\n"


def test_the_first_calls_come_from_several_threads_at_once(tmp_path: Path) -> None:
    """Item 12: nobody sees an engine or a pool that is half built; one template serves all."""
    printed = run(
        tmp_path,
        """
        start, found = threading.Barrier(6), []
        def first(k):
            start.wait()
            backend = ["processes", "threads"][k == 5]
            found.append(Parallel(2, backend)(delayed(pow)(i, 2) for i in range(20)))
            templates.update(Parallel(2)(delayed(os.getppid)() for i in range(4)))
        templates = set()
        threads = [threading.Thread(target=first, args=(k,)) for k in range(6)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(found == [[i * i for i in range(20)]] * 6, len(templates))
        """,
    )
    assert printed == "True 1\n"


def test_pools_that_are_replaced_while_others_submit(tmp_path: Path) -> None:
    """Item 12: engines that are shut down, and templates that are killed, under the calls of others."""
    printed = run(
        tmp_path,
        """
        from lightwork.engines.registry import ENGINES
        over = threading.Event()
        def replace():
            while not over.wait(0.003): ENGINES.shutdown()
        def call(k):
            for turn in range(8):
                return_as = ["list", "generator", "generator_unordered"][turn % 3]
                calls = (delayed(pow)(i, k) for i in range(30))
                results = Parallel(2 + turn % 2, return_as=return_as)(calls)
                found[k] &= sorted(results) == [i**k for i in range(30)]
        found = {k: True for k in range(4)}
        replacing = threading.Thread(target=replace)
        replacing.start()
        threads = [threading.Thread(target=call, args=(k,)) for k in found]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        over.set()
        replacing.join()
        print(found)
        """,
    )
    assert printed == "{0: True, 1: True, 2: True, 3: True}\n"


def test_arrays_stay_until_the_slowest_task_is_done(tmp_path: Path) -> None:
    """Item 15: views of every kind, tasks that outlive their call's arrays, results that are sent again."""
    printed = run(
        tmp_path,
        """
        import gc
        import numpy as np
        def slow(x, i):
            before = x.copy()
            time.sleep(0.02 * (i % 3))
            assert np.array_equal(x, before)
            x += 1
            return x, i
        base = np.arange(400_000.0).reshape(400, 1000)
        forms = [
            base, base[::2], base[:, ::-1], base.T, base[50:350, 10:900], np.asfortranarray(base),
            base.astype(">f8"), base.astype(">i4")[3:], base.view("i8"),
            np.broadcast_to(base[0], (300, 1000)), np.frombuffer(base.tobytes(), "u1")[3:].copy()[5:],
            base.astype("c16").imag,
        ]
        for form in forms:
            g = Parallel(2, return_as="generator", batch_size=1)(
                delayed(slow)(each, i) for i, each in enumerate([form.copy("K")] * 6)
            )
            x, i = next(g)
            gc.collect()
            assert [i] + [k for _, k in g] == list(range(6))
            assert np.array_equal(x, form + 1) and x.dtype == form.dtype
            again = Parallel(2)(delayed(slow)(x, i) for i in range(4))  # a result is an argument again
            assert all(np.array_equal(y, form + 2) for y, _ in again)
            assert np.array_equal(x, form + 1)
        print("done")
        """,
    )
    assert printed == "done\n"


@pytest.mark.parametrize("return_as", ["list", "generator"])
def test_an_interrupted_worker_runs_no_part_of_the_next_task(tmp_path: Path, return_as: str) -> None:
    """Item 17: Ctrl-C at any moment; nothing of that call begins or goes on in later calls."""
    printed = run(
        tmp_path,
        f"""
        import random
        from pathlib import Path
        def note(*words):
            file = os.open("log", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
            os.write(file, (" ".join(map(str, words)) + "\\n").encode())
            os.close(file)
        def work(turn, i):
            note(turn, i, "begin", os.getpid())
            time.sleep(0.002)
            note(turn, i, "end", os.getpid())
            return turn, i
        Parallel(2)(delayed(abs)(-i) for i in range(3))
        for turn in range(8):
            timer = threading.Timer(random.uniform(0, 0.05), os.kill, (os.getpid(), signal.SIGINT))
            try:
                timer.start()
                list(Parallel(2, return_as="{return_as}")(delayed(work)(turn, i) for i in range(100)))
                time.sleep(10)
            except KeyboardInterrupt: pass
            timer.join()
            note(turn, "over")
            again = Parallel(2)(delayed(work)(100 + turn, i) for i in range(8))
            assert again == [(100 + turn, i) for i in range(8)]
        lines, open_tasks, over = Path("log").read_text().splitlines(), {{}}, set()
        for line in lines:
            turn, *rest = line.split()
            if rest == ["over"]:
                over.add(turn)
                continue
            i, what, pid = rest
            assert turn not in over, line
            if what == "begin":
                assert open_tasks.get(pid, (turn,))[0] == turn or open_tasks[pid][0] in over, line
                open_tasks[pid] = turn, i
            else: assert open_tasks.pop(pid) == (turn, i), line
        print(len(over))
        """,
    )
    assert printed == "8\n"


def test_an_interrupt_that_only_a_worker_gets(tmp_path: Path) -> None:
    """Item 17: SIGINT for workers, again and again: whole results or `WorkerDied`, in their places."""
    printed = run(
        tmp_path,
        """
        from pathlib import Path
        from lightwork.errors import WorkerDied
        over = threading.Event()
        def work(i):
            with open("pids", "a") as file: file.write(f"{os.getpid()}\\n")
            total = sum(range(20_000))
            return i, total
        def interrupt():
            while not over.wait(0.03):
                try: os.kill(int(Path("pids").read_text().split()[-1]), signal.SIGINT)
                except (OSError, ValueError, IndexError): pass
        thread = threading.Thread(target=interrupt)
        thread.start()
        found = Parallel(2, on_error="return")(delayed(work)(i) for i in range(150))
        over.set()
        thread.join()
        for i, each in enumerate(found):
            if not isinstance(each, Failure): assert each == (i, 199_990_000), each
            else: assert (each.index, type(each.error), each.error.signal) == (i, WorkerDied, 2)
        assert Parallel(2)(delayed(abs)(-i) for i in range(9)) == list(range(9))
        print("done")
        """,
    )
    assert printed == "done\n"
