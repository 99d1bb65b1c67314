"""The same value has the same key in every Python, with every numpy, whatever the hash seed."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FOUND = ROOT / ".venv-versions" / "versions.json"
Report = Mapping[str, Any]  # what samples.py prints


def found() -> Report:
    report: Report = json.loads(FOUND.read_text()) if FOUND.exists() else {"used": [], "skipped": []}
    return report


def keys_in(python: str, *paths: str, seed: str) -> Report:
    path = os.pathsep.join([str(ROOT / "src"), str(Path(__file__).parent), *paths])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1"}
    # Without `site`: an interpreter of pyenv may have packages of its own.
    command = [python, *(["-S"] if paths else []), str(Path(__file__).parent / "samples.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report: Report = json.loads(done.stdout)
    return report


@pytest.fixture(scope="module")
def reference() -> Report:
    """The keys in this Python."""
    return keys_in(sys.executable, seed="0")


def differing(one: Report, two: Report) -> list[str]:
    assert one["keys"].keys() == two["keys"].keys()
    return [name for name, key in one["keys"].items() if two["keys"][name] != key]


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["1", "4294967295"])
def test_keys_do_not_depend_on_the_hash_seed(reference: Report, seed: str) -> None:
    """In new processes of this Python."""
    assert differing(reference, keys_in(sys.executable, seed=seed)) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "place", [pytest.param(each, id=Path(each["packages"]).parent.name) for each in found()["used"]]
)
def test_keys_do_not_depend_on_the_version(reference: Report, place: Report) -> None:
    """Of Python and numpy: each interpreter that ``make versions`` has found."""
    report = keys_in(place["python"], place["packages"], seed="7")
    assert (report["python"], report["numpy"]) != (reference["python"], reference["numpy"])
    assert differing(reference, report) == []


@pytest.mark.parametrize(
    "reason", found()["skipped"] or ["" if FOUND.exists() else "`make versions` was not run"]
)
def test_versions_that_are_missing_here(reason: str) -> None:
    """Said in the report, so that nobody believes that they were tested."""
    if reason:
        pytest.skip(reason)
