"""Values are hashed where they lie: what is made on the way stays small, however large they are."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

LIMIT = 64 << 20
PROBE = "tests.unit.hashing.memory_of_values"


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="needs Linux' high-water mark of memory"
)
@pytest.mark.parametrize("family", ["standard", "framed", "tensors"])
def test_nothing_is_copied_as_a_whole(family: str) -> None:
    """Texts, buffers, maps, arrays, frames and tensors in any layout; measured in a process of its own."""
    if family == "tensors" and importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    done = subprocess.run([sys.executable, "-m", PROBE, family], capture_output=True, text=True, check=True)
    extra: dict[str, int] = json.loads(done.stdout)
    assert extra
    assert {name: nbytes for name, nbytes in extra.items() if nbytes >= LIMIT} == {}
