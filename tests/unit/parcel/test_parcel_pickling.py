"""The picklers: reuse, late imports, and what tells that a value must travel by value."""

import copyreg
import io
import pickle
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest

from lightwork.parcel.locate import failing_part
from lightwork.parcel.pickling import dump_by_value, locate_unpicklable, make_pickler, needs_value_pickling


def test_a_pickler_is_used_again_after_clear_memo() -> None:
    """Each pickle stands for itself, with its own buffers."""
    file, buffers = io.BytesIO(), list[pickle.PickleBuffer]()
    pickler = make_pickler(file, buffer_callback=buffers.append)
    array = np.arange(50_000)
    for _ in range(2):
        file.seek(0)
        file.truncate()
        buffers.clear()
        pickler.clear_memo()
        pickler.dump([array, array, np.arange(3)])
        first, second, small = pickle.loads(file.getvalue(), buffers=[buffer.raw() for buffer in buffers])
        assert len(buffers) == 1
        assert first is second
        assert (first == array).all()
        assert small.tolist() == [0, 1, 2]


def test_strided_arrays_reach_the_callback_as_contiguous_buffers() -> None:
    """A pickler for messages has nothing to do with layouts."""
    buffers: list[pickle.PickleBuffer] = []
    make_pickler(io.BytesIO(), buffer_callback=buffers.append).dump(np.arange(50_000)[::2])
    assert buffers[0].raw().tobytes() == np.arange(0, 50_000, 2).tobytes()


def test_a_failed_dump_leaves_nothing_that_a_later_buffer_could_meet() -> None:
    """A dump that failed between an array and its buffer does not change what other buffers stand for."""
    buffers: list[pickle.PickleBuffer] = []
    pickler = make_pickler(io.BytesIO(), buffer_callback=buffers.append)
    unpicklable = np.dtype("f8", metadata={"no": lambda: None})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy warns of metadata
        for _ in range(20):
            with pytest.raises((pickle.PicklingError, AttributeError)):
                pickler.dump(np.zeros(50_000).view(unpicklable))
            pickler.clear_memo()
    foreign = [pickle.PickleBuffer(bytearray(b"%d" % k)) for k in range(100)]
    for buffer in foreign:
        pickler.dump(buffer)
    assert [buffer.raw().tobytes() for buffer in buffers] == [b"%d" % k for k in range(100)]


def test_numpy_may_be_imported_after_the_pickler_was_made() -> None:
    """A worker's pickler is made before the first array is seen, and numpy is not imported for it."""
    code = (
        "import io, pickle, sys\n"
        "from lightwork.parcel.pickling import make_pickler\n"
        "file, buffers = io.BytesIO(), []\n"
        "pickler = make_pickler(file, buffer_callback=buffers.append)\n"
        "pickler.dump({1: 2})\n"
        "assert 'numpy' not in sys.modules\n"
        "import numpy\n"
        "pickler.clear_memo(); file.seek(0)\n"
        "pickler.dump(numpy.arange(50_000)[::2])\n"
        "assert len(buffers) == 1\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


class Registered:
    """Pickled by `copyreg`."""


def _reduce_registered(value: Registered) -> Any:
    return Registered, ()


def test_what_copyreg_knows_is_heeded() -> None:
    """A private dispatch table hides the global one from the C pickler; ours passes it on."""
    called = []

    def reduce(value: Registered) -> Any:
        called.append(value)
        return _reduce_registered(value)

    copyreg.pickle(Registered, reduce)
    try:
        make_pickler(io.BytesIO(), buffer_callback=lambda buffer: None).dump(Registered())
    finally:
        del copyreg.dispatch_table[Registered]
    assert len(called) == 1


class Meta(type):
    """A metaclass: its classes are pickled by name."""


class WithMeta(metaclass=Meta):
    """One of them."""


def test_classes_are_pickled_by_name_whatever_their_metaclass() -> None:
    """The table must not send a class the way of instances."""
    file = io.BytesIO()
    make_pickler(file, buffer_callback=lambda buffer: None).dump([WithMeta, int, Registered])
    assert pickle.loads(file.getvalue()) == [WithMeta, int, Registered]


def test_by_value_pickles_are_read_by_any_unpickler() -> None:
    """Functions are inside, buffers beside."""
    buffers: list[pickle.PickleBuffer] = []
    data = dump_by_value((lambda: 7, np.arange(50_000)), buffers.append)
    function, array = pickle.loads(data, buffers=buffers)
    assert function() == 7
    assert array.sum() == 50_000 * 49_999 // 2


def test_functions_by_value_keep_the_file_they_came_from() -> None:
    """Tracebacks show it, and keys of calls of functions of ``__main__`` name it, in workers too."""
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile("def f():\n    def g(): pass\n    return g", "/project/job.py", "exec"), space)
    function = pickle.loads(dump_by_value(space["f"], lambda buffer: None))
    assert {code.co_filename for code in (function.__code__, function().__code__)} == {"/project/job.py"}


def test_main_is_noticed() -> None:
    """Names of ``__main__`` mean nothing elsewhere."""
    assert needs_value_pickling(b"c__main__\nf\n.")
    assert not needs_value_pickling(pickle.dumps([1, len, np.float64]))


def test_the_search_for_the_failing_part_ends_in_time() -> None:
    """When the clock runs out, the path found so far is the answer."""
    ticks = iter(range(1000))
    value = [[["x" * 100_000, lambda: 1]]]
    path = failing_part(
        value, "value", lambda file: pickle.Pickler(file, 5), seconds=1.5, clock=lambda: float(next(ticks))
    )
    assert "value[0][0][1]".startswith(path)


def test_attributes_and_slots_are_named() -> None:
    """The path reads like the code that would reach the part."""

    class Slotted:
        __slots__ = ("inner",)

    assert locate_unpicklable({"k": [lambda: 1]}, "value") == "value['k'][0]"
    assert locate_unpicklable(Slotted(), "value") == "value"
