"""Ray's own backend for joblib, on the face and as a backend of lightwork.

Each test runs a program of its own: ray exchanges a base class of joblib, and an alias is for a whole
process.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="ray is not installed (lightwork[ray])")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

_BEGIN = """
import os, numpy, ray
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
"""

_FACE = """
import lightwork.compat
lightwork.compat.install()
import joblib
assert "lightwork" in joblib.__file__
from joblib import Parallel, delayed, parallel_backend, parallel_config
from ray.util.joblib import register_ray
register_ray()

class Refused(Exception):
    "Of the program: travels by value."

def task(array, number):
    if number < 0:
        raise Refused(number)
    return type(array).__name__, float(array.sum()) + number, os.getpid() == caller

caller, array = os.getpid(), numpy.ones(300_000)  # large enough for a file, which far workers would not find
with parallel_config("ray", n_jobs=2):
    results = Parallel(max_nbytes="1K")(delayed(task)(array, i) for i in range(6))
assert results == [("ndarray", 300_000.0 + i, False) for i in range(6)], results
with parallel_backend("ray", n_jobs=2):
    try:
        Parallel()(delayed(task)(array, i) for i in (1, -1))
    except Refused as error:
        assert error.args == (-1,)
    else:
        raise AssertionError("no error")
"""

_OURS = """
import lightwork
from ray.util.joblib.ray_backend import RayBackend
lightwork.register_parallel_backend("rays", RayBackend)
caller, array = os.getpid(), numpy.ones(300_000)

def change(own, i):
    own[0] += i
    return float(own.sum()), os.getpid() == caller

parallel = lightwork.Parallel(backend="rays")
results = parallel(lightwork.delayed(change)(array, i) for i in range(4))
assert results == [(300_000.0 + i, False) for i in range(4)], results
try:
    parallel(lightwork.delayed(divmod)(1, i) for i in (1, 0))
except ZeroDivisionError as error:
    assert "divmod" in str(error.__notes__)
else:
    raise AssertionError("no error")
"""


_JOBLIB = """
import joblib
assert "lightwork" not in joblib.__file__
"""


@pytest.mark.parametrize("program", [_FACE + _OURS, _JOBLIB + _OURS], ids=["face", "joblib"])
def test_rays_own_backend_runs(program: str, tmp_path: Path) -> None:
    """On the face as on joblib, and derived from either of them on lightwork."""
    path = tmp_path / "program.py"
    path.write_text(_BEGIN + program)
    variables = {**os.environ, "RAY_AUTH_MODE": "disabled"}  # or a token is written into somebody's home
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, env=variables)
    assert done.returncode == 0, done.stdout + done.stderr
