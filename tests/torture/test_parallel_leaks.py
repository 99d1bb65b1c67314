"""Item 18 of the list in README.md: thousands of calls in one process leave everything as it was."""

from pathlib import Path

import pytest

from tests.torture.watchdog import LONG, run

pytestmark = [
    pytest.mark.torture,
    pytest.mark.once,
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="descriptors are found in /proc"),
]

MEASURE = """
    faulthandler.cancel_dump_traceback_later()
    faulthandler.dump_traceback_later(1700, exit=True)
    import gc, mmap, tempfile
    from pathlib import Path
    def family():
        parents = {}
        for each in Path("/proc").glob("[0-9]*"):
            try: parents[each.name] = (each / "stat").read_text().rpartition(")")[2].split()[1]
            except OSError: pass
        found = {str(os.getpid())}
        for _ in range(3): found |= {pid for pid, parent in parents.items() if parent in found}
        return found
    def descriptors(pid): return len(os.listdir(f"/proc/{pid}/fd"))
    def measure():
        gc.collect()
        pids = family()
        most = {}
        for pid in pids - {str(os.getpid())}:
            try: most[pid] = (descriptors(pid), len(os.listdir(f"/proc/{pid}/task")))
            except OSError: pass  # it left
        return {
            "processes": len(pids),
            "descriptors": descriptors("self"),
            "threads": len(os.listdir("/proc/self/task")),
            "descriptors of a worker": max(each[0] for each in most.values()),
            "threads of a worker": max(each[1] for each in most.values()),
            "maps": Path("/proc/self/maps").read_text().count("memfd:lightwork"),
            "temporary files": len(os.listdir(tempfile.gettempdir())),
            "megabytes": int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE >> 20,
        }
"""

CALLS = """
    import numpy as np
    shared = np.arange(100_000.0)
    def fails(i): raise ValueError(i)
    def peak(x, i): return float(x[i])
    def calls(backend):
        # Ten calls: lists, generators that are read, left and closed, errors, arrays.
        parallel = Parallel(2, backend)
        assert parallel(delayed(abs)(-i) for i in range(4)) == [0, 1, 2, 3]
        assert parallel(delayed(peak)(shared, i) for i in range(4)) == [0, 1, 2, 3]
        assert len(parallel(delayed(bytes)(300_000) for i in range(2))) == 2
        assert parallel([]) == []
        assert list(Parallel(2, backend, "generator")(delayed(abs)(i) for i in range(4))) == [0, 1, 2, 3]
        unordered = Parallel(2, backend, "generator_unordered")
        assert sorted(unordered(delayed(abs)(i) for i in range(4))) == [0, 1, 2, 3]
        assert next(Parallel(2, backend, "generator")(delayed(abs)(i) for i in range(4))) == 0
        assert len(Parallel(2, backend, on_error="return")(delayed(fails)(i) for i in range(3))) == 3
        try: parallel(delayed(fails)(i) for i in range(3))
        except ValueError: pass
        assert Parallel(2, backend, progress=lambda *_: None)(delayed(abs)(i) for i in range(3)) == [0, 1, 2]
"""


@pytest.mark.timeout(1800)
def test_ten_thousand_calls_leave_everything_flat(tmp_path: Path) -> None:
    """Processes, descriptors, threads, mappings, temporary files and memory: as after the first 200 calls.

    The short form makes 120 calls after those, the long form 10,000.
    """
    turns = 500 if LONG else 6
    printed = run(
        tmp_path,
        MEASURE
        + CALLS
        + f"""
    def turn():
        calls("processes")
        calls("threads")
    for _ in range(10): turn()
    before = measure()
    for _ in range({turns}): turn()
    after = measure()
    # The pool holds two to four workers at the moment of looking, each with three descriptors here.
    room = {{"processes": 2, "descriptors": 6, "descriptors of a worker": 2, "megabytes": 12}}
    grown = {{k: (before[k], after[k]) for k in before if after[k] > before[k] + room.get(k, 0)}}
    print(grown or "flat")
        """,
        patience=1750,
    )
    assert printed == "flat\n"
