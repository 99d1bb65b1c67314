"""Ctrl-C before every step of a call, and at the moment in which no wait hears it."""

from pathlib import Path

import pytest

from tests.torture.watchdog import LONG, run

pytestmark = [
    pytest.mark.torture,
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="descriptors are counted in /proc"),
]

STEP = 4 if LONG else 16
"""Steps of which one is tried. The first of them is drawn, so that repeats try others."""

CALLS = [(backend, return_as) for backend in ("processes", "threads") for return_as in ("list", "generator")]


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "return_as"), CALLS)
def test_an_interrupt_that_breaks_off_no_wait_is_heard(tmp_path: Path, backend: str, return_as: str) -> None:
    """Noted by the interpreter while the main thread waits already, as one just before the wait would be."""
    printed = run(
        tmp_path,
        f"""
        def work(i):
            with open("log", "a") as file: file.write(".")
            time.sleep(20)
        def interrupt():
            while not os.path.exists("log"): time.sleep(0.01)
            time.sleep(0.2)  # now the main thread waits; nothing tells of that
            sent.append(time.monotonic())
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        sent = []
        list(Parallel(2, "{backend}", "{return_as}")(delayed(abs)(-i) for i in range(3)))
        thread = threading.Thread(target=interrupt)
        thread.start()
        try: list(Parallel(2, "{backend}", "{return_as}")(delayed(work)(i) for i in range(9)))
        except KeyboardInterrupt: print(time.monotonic() - sent[0] < 1)
        thread.join()
        print(Parallel(2, "{backend}")(delayed(abs)(-i) for i in range(3)))
        """,
    )
    assert printed == "True\n[0, 1, 2]\n"


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize(("backend", "return_as"), CALLS)
def test_an_interrupt_before_any_step_of_a_call(tmp_path: Path, backend: str, return_as: str) -> None:
    """It is the caller's `KeyboardInterrupt`, nothing is written, the next call is right, and calls on
    threads leave no descriptor open. (One that comes while a worker process is being made can leave
    descriptors of that open, up to the end of the program: not looked at here.)

    A step is where the interpreter looks for signals: after a call, at the begin of a function and of each
    turn of a loop. The main thread's steps are counted until it waits.
    """
    printed = run(
        tmp_path,
        f"""
        import dis, random, warnings
        # A file that was opened a moment ago, and that nobody holds yet, is closed by its collection.
        warnings.simplefilter("ignore", ResourceWarning)
        faulthandler.cancel_dump_traceback_later()
        faulthandler.dump_traceback_later(600, exit=True)
        class Steps:
            def __init__(self, wanted):
                self.wanted, self.count, self.place, self.last = wanted, 0, None, {{}}
            def __call__(self, frame, event, argument):
                frame.f_trace_opcodes = True
                if event != "opcode" or self.place: return self
                code = frame.f_code
                if code not in NAMES: NAMES[code] = {{i.offset: i.opname for i in dis.get_instructions(code)}}
                before, self.last[frame] = self.last.get(frame), NAMES[code].get(frame.f_lasti)
                if before not in LOOKS: return self
                self.count += 1
                if self.count == self.wanted:
                    self.place = code.co_filename, frame.f_lineno
                    self.late = time.monotonic() - self.begun
                    sys.settrace(None)
                    while frame: frame.f_trace, frame = None, frame.f_back
                    signal.raise_signal(signal.SIGINT)
                return self
        NAMES, LOOKS = {{}}, ("CALL", "CALL_KW", "CALL_FUNCTION_EX", "RESUME", "JUMP_BACKWARD")
        def work(seconds):
            time.sleep(seconds)
            return seconds
        def call(*seconds):
            return list(Parallel(2, "{backend}", "{return_as}")(delayed(work)(each) for each in seconds))
        def opened(): return len(os.listdir("/proc/self/fd"))
        def interrupted(number):
            steps = Steps(number)
            steps.begun = time.monotonic()
            try:
                sys.settrace(steps)
                call(*[1] * 9)
            except KeyboardInterrupt: pass
            finally: sys.settrace(None)
            # Past the last one before the wait; what comes then depends on when the tasks end.
            if steps.place is None or steps.late > 0.5: return False
            assert time.monotonic() - steps.begun < 1 + steps.late, steps.place
            assert call(0, 0.001, 0) == [0, 0.001, 0], steps.place
            return True
        call(0)  # with all imports: the interpreter itself is not whole after an interrupt in one
        before, number = opened(), random.randint(1, {STEP})
        while interrupted(number): number += {STEP}
        call(0)
        print(number > 300, "{backend}" == "processes" or opened() == before, number, before, opened())
        """,
        patience=600,
    )
    assert printed.startswith("True True"), printed
