"""What the keys of a cached function depend on."""

from pathlib import Path
from typing import Any

from lightwork import Memory


def test_the_version_of_a_cached_function_is_part_of_its_callers_keys(tmp_path: Path) -> None:
    """``version=`` of an inner function that was changed makes the outer one run again."""
    memory = Memory(tmp_path, verbose=0)
    space: dict[str, Any] = {"__name__": "job"}
    exec("def load(): return 1\ndef f(): return inner()", space)
    space["inner"] = memory.cache(space["load"], version=1)
    outer = memory.cache(space["f"])
    assert outer() == 1
    assert outer.check_call_in_cache()
    space["inner"] = memory.cache(space["load"], version=2)
    assert not outer.check_call_in_cache()
    space["inner"] = memory.cache(space["load"], version=1)
    assert outer.check_call_in_cache()


def test_dependencies_name_what_counts_and_what_does_not(tmp_path: Path) -> None:
    """As lists, and as a text that shows both."""
    space: dict[str, Any] = {"__name__": "job"}
    exec("import io\nout = io.StringIO()\ncfg = [1]\ndef f(): return out, cfg", space)
    found = Memory(tmp_path, verbose=0).cache(space["f"]).dependencies()
    assert [line.split()[0] for line in found.tracked] == ["job:f", "cfg"]
    assert [line.split(":")[0] for line in found.untracked] == ["out"]
    assert str(found).splitlines()[0] == "tracked:"
    assert "not tracked:\n  out" in str(found)


def test_constants_are_told_with_their_values(tmp_path: Path) -> None:
    """Those of helpers and classes too; long ones are shortened."""
    space: dict[str, Any] = {"__name__": "job"}
    code = """
FACTOR, NAMES, TEXT, OTHER = 2.0, ("a", "b"), "x" * 1000, 1
class Model:
    rate = 3
def helper(x, y=2): return x * FACTOR * Model.rate
def f(): return helper(1), NAMES, TEXT
"""
    exec(code, space)
    found = Memory(tmp_path, verbose=0).cache(space["f"]).dependencies()
    constants = dict(line.split(" = ") for line in found.tracked if " = " in line)
    assert constants.pop("TEXT").startswith("'xxx")
    assert constants == {"FACTOR": "2.0", "NAMES": "('a', 'b')", "job:Model.rate": "3"}
    assert all(len(line) < 100 for line in found.tracked if " = " in line)
