"""Item 23 of the list in README.md, as `Parallel` meets it: very large messages, memory of any alignment."""

import os
from pathlib import Path

import pytest

from tests.torture.watchdog import LONG, run

pytestmark = [
    pytest.mark.torture,
    pytest.mark.once,
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="worker processes need Linux"),
]


def available() -> int:
    """Bytes of memory that programs can still have."""
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("gigabytes", [2, 4])
@pytest.mark.parametrize("kind", ["bytes", "array"])
def test_messages_beyond_the_numbers_of_32_bits(tmp_path: Path, gigabytes: int, kind: str) -> None:
    """More than 2 and 4 GiB, there and back, with the first, last and the bytes around the limit in place."""
    if not LONG:
        pytest.skip("moves gigabytes: part of the long form")
    if available() < (3 * gigabytes + 2) << 30:
        pytest.skip(f"needs {3 * gigabytes + 2} GiB of free memory")
    printed = run(
        tmp_path,
        f"""
        faulthandler.cancel_dump_traceback_later()
        import numpy as np
        size = ({gigabytes} << 30) + 12_345
        places = [0, ({gigabytes} << 30) - 1, {gigabytes} << 30, size - 1]
        def marked():
            value = np.zeros(size, "u1")
            value[places] = [1, 2, 3, 4]
            return value if "{kind}" == "array" else value.tobytes()
        def look(value): return [int(value[place]) for place in places] + [len(value) == size]
        value = marked()
        print(Parallel(2)([delayed(look)(value)]))
        del value
        print(look(Parallel(2)([delayed(marked)()])[0]))
        """,
        patience=500,
    )
    assert printed == "[[1, 2, 3, 4, True]]\n[1, 2, 3, 4, True]\n"


@pytest.mark.parametrize("offset", [1, 4])
def test_arrays_of_any_alignment_reach_native_code_whole(tmp_path: Path, offset: int) -> None:
    """Memory that begins at an odd address: native code gets the right numbers, and so does the caller."""
    printed = run(
        tmp_path,
        f"""
        import numpy as np
        def product(x, i):
            assert not np.isnan(x).any()
            x[0, 0] += i
            return x, float((x @ x.T).sum())
        memory = bytearray(8 * 90_000 + 64)
        x = np.frombuffer(memory, "f8", 90_000, {offset}).reshape(300, 300)
        x[:] = np.arange(90_000).reshape(300, 300) / 90_000
        expected = []
        for i in range(6):
            y = x.copy()
            y[0, 0] += i
            expected.append((y, float((y @ y.T).sum())))
        for turn in range(3):
            found = Parallel(2)(delayed(product)(x, i) for i in range(6))
            for (y, s), (z, t) in zip(found, expected):
                assert np.array_equal(y, z) and abs(s - t) <= 1e-9 * abs(t)
        print("done")
        """,
    )
    assert printed == "done\n"
