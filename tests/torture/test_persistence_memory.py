"""Memory that dump and load take beside the array itself: a few blocks per thread, whatever its size."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LONG = os.environ.get("LIGHTWORK_TORTURE") == "long"
NBYTES = 4 << 30 if LONG else 256 << 20
MOST = 64 << 20
SLACK = 1 << 30
"""Bytes that must be free beyond what the test needs."""

# Prints how far the peak of its memory rose above what it held before, in a dump and in a load.
_CHILD = """
import gc, sys, numpy
from lightwork import dump, load

path, compress, layout, nbytes = sys.argv[1], sys.argv[2] == "True", sys.argv[3], int(sys.argv[4])

def status(field):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(field))

def grown(work):
    gc.collect()
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak begins anew
    before = status("VmRSS")
    result = work()
    return status("VmHWM") - before, result

dump(numpy.random.default_rng(0).random(1 << 20), path, compress)  # threads and modules are there from now on
load(path)
array = numpy.empty(nbytes // 8)
numpy.random.default_rng(0).random(out=array)
if layout == "F":
    array = array.reshape(2, -1).T
elif layout == "gaps":
    array = array.reshape(-1, 2)[:, 0]
ends, size = (array[:1].copy(), array[-1:].copy()), array.nbytes
dumped, _ = grown(lambda: dump(array, path, compress))
del array
loaded, again = grown(lambda: load(path))
assert again.nbytes == size and (again[:1] == ends[0]).all() and (again[-1:] == ends[1]).all()
print(dumped, loaded - size)
"""


@pytest.mark.torture
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")
@pytest.mark.parametrize(
    ("compress", "layout"), [(False, "C"), (False, "gaps"), (True, "C"), (True, "F"), (True, "gaps")]
)
def test_a_large_array_takes_little_more_memory(compress: bool, layout: str, tmp_path: Path) -> None:
    """Dump and load of an array of 4 GB need at most 64 MB beside it, compressed or not, in any layout."""
    if shutil.disk_usage(tmp_path).free < NBYTES + SLACK:
        pytest.skip(f"fewer than {NBYTES + SLACK} bytes are free in {tmp_path}")
    if _free_memory() < NBYTES + SLACK:
        pytest.skip(f"fewer than {NBYTES + SLACK} bytes of memory are free")
    path = tmp_path / "x.lw"
    command = [sys.executable, "-c", _CHILD, str(path), str(compress), layout, str(NBYTES)]
    try:
        grown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    finally:
        path.unlink(missing_ok=True)  # pytest keeps folders of tests
    dumped, loaded = map(int, grown.split())
    assert dumped <= MOST, f"dump took {dumped >> 20} MiB"
    assert loaded <= MOST, f"load took {loaded >> 20} MiB"


def _free_memory() -> int:
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("MemAvailable"))
