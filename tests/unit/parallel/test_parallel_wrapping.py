"""`wrap_non_picklable_objects`: for what others pickle."""

import multiprocessing
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from lightwork import hash as key_of
from lightwork import wrap_non_picklable_objects


def test_a_function_without_a_name_travels_through_another_pool() -> None:
    """And is called there, and in a pickle that nobody but the standard library reads."""
    triple: Callable[[int], int] = wrap_non_picklable_objects(lambda number: 3 * number)
    assert triple(2) == 6
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.map(triple, [1, 2]) == [3, 6]


def test_it_reads_back_in_another_process_as_it_was_asked() -> None:
    """The wrapper again, or the bare object."""
    again = pickle.dumps(wrap_non_picklable_objects(lambda: 7))
    bare = pickle.dumps(wrap_non_picklable_objects(lambda: 8, keep_wrapper=False))
    code = (
        "import pickle, sys\n"
        f"found = [pickle.loads(data) for data in ({again!r}, {bare!r})]\n"
        "print(*(type(item).__name__ for item in found), *(item() for item in found))\n"
        "pickle.dumps(found[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["CallableObjectWrapper", "function", "7", "8"]


def test_classes_and_other_objects() -> None:
    """Instances of a wrapped class are wrapped, attributes are those of what is inside."""

    @wrap_non_picklable_objects
    class Counter:
        """Local, so pickle does not find it."""

        def __init__(self, start: int) -> None:
            self.count = start

        def __call__(self, step: int) -> int:
            self.count += step
            return self.count

    counter = Counter(3)
    assert (Counter.__name__, counter.count, counter(2)) == ("Counter", 3, 5)
    copy: Any = pickle.loads(pickle.dumps(counter))
    assert copy(1) == 6
    held: Any = pickle.loads(pickle.dumps(wrap_non_picklable_objects({"one": 1})))
    assert held.get("one") == 1


def test_it_has_a_key_by_what_is_inside() -> None:
    """Two that wrap equal functions are one value, others are another."""
    keys = [key_of(wrap_non_picklable_objects(function)) for function in (_one, _one, _two)]
    assert keys[0] == keys[1] != keys[2]


def _one() -> int:
    return 1


def _two() -> int:
    return 2
