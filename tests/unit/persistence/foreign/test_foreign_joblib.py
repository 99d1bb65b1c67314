"""joblib's files of all ages, written here byte by byte: no joblib is needed to read them."""

import gc
import io
import pickle
import subprocess
import sys
import warnings
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightwork import dump, dumps, load, loads
from lightwork.errors import (
    CorruptFileError,
    FileFormatError,
    InvalidOption,
    LightworkWarning,
    UnknownFormatError,
    UnpicklableError,
)
from lightwork.parcel.inputs import StreamInput
from lightwork.persistence.foreign.joblib_reading import Surroundings, read
from tests.unit.persistence.foreign.old_files import (
    array_of_1_1,
    compressed_side_array,
    instance,
    part,
    side_array,
    stream,
    zf,
)

NUMBERS = np.arange(12, dtype="<i4").reshape(3, 4)
FORTRAN = np.asfortranarray(NUMBERS.astype("<f8"))

# `dump(np.arange(3, dtype='<i4'), path)` by joblib 1.6, as it is described byte by byte.
OF_1_6 = (
    b"\x80\x04\x95\xd1\x00\x00\x00\x00\x00\x00\x00"
    b"\x8c\x13joblib.numpy_pickle\x94\x8c\x11NumpyArrayWrapper\x94\x93\x94)\x81\x94}\x94("
    b"\x8c\x08subclass\x94\x8c\x05numpy\x94\x8c\x07ndarray\x94\x93\x94\x8c\x05shape\x94K\x03\x85\x94"
    b"\x8c\x05order\x94\x8c\x01C\x94\x8c\x05dtype\x94h\x06\x8c\x05dtype\x94\x93\x94\x8c\x02i4\x94"
    b"\x89\x88\x87\x94R\x94(K\x03\x8c\x01<\x94NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t\x94b"
    b"\x8c\nallow_mmap\x94\x88\x8c\x1bnumpy_array_alignment_bytes\x94K\x10ub"
    b"\x03\xff\xff\xff\x00\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00."
)


def test_a_file_of_1_6_is_read() -> None:
    """Wrapper, padding, bytes, and the pickle goes on behind them."""
    assert loads(OF_1_6).tolist() == [0, 1, 2]


@pytest.mark.parametrize("module", ["joblib.numpy_pickle", "sklearn.externals.joblib.numpy_pickle"])
def test_files_without_alignment_are_read(module: str) -> None:
    """joblib 0.10 to 1.1, also the one inside old scikit-learn."""
    first, second, text = loads(stream(array_of_1_1(NUMBERS, module), array_of_1_1(FORTRAN), part("end")))
    assert (first == NUMBERS).all()
    assert (second == FORTRAN).all()
    assert second.flags.f_contiguous
    assert text == "end"


def test_unaligned_arrays_are_mapped_with_a_warning(tmp_path: Path) -> None:
    """As joblib does; where the bytes happen to be aligned there is none."""
    path = tmp_path / "x"
    aligned = stream(part("".ljust(_padding_of_text(FORTRAN))), array_of_1_1(FORTRAN))
    path.write_bytes(aligned)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (load(path, mmap_mode="r")[1] == FORTRAN).all()
    path.write_bytes(stream(part(""), array_of_1_1(FORTRAN)))
    with pytest.warns(
        LightworkWarning, match=r"The memmapped array.+loaded from the file.+is not byte aligned"
    ):
        found = load(path, mmap_mode="r")[1]
    assert isinstance(found, np.memmap)
    assert (found == FORTRAN).all()


def _padding_of_text(array: Any) -> int:
    """How long a text before the array makes it aligned."""
    start = len(stream(part(""), array_of_1_1(array))) - 2 - int(array.nbytes)
    return -start % 16


@pytest.mark.parametrize("mode", [None, "r", "c"])
def test_arrays_beside_a_file_are_found(mode: Any, tmp_path: Path) -> None:
    """joblib 0.8 and 0.9: one ``.npy`` file for each array, in the folder of the pickle."""
    np.save(tmp_path / "x_01.npy", FORTRAN)
    np.save(tmp_path / "x_02.npy", np.array([None, "y"], object), allow_pickle=True)
    np.save(tmp_path / "x_03.npy", NUMBERS.astype(">i4"))
    (tmp_path / "x").write_bytes(
        stream(
            side_array("x_01.npy", allow_mmap=True),
            side_array("x_02.npy", allow_mmap=False),
            side_array("x_03.npy", "joblib.numpy_pickle_compat"),
            part("end"),
        )
    )
    first, objects, third, text = load(tmp_path / "x", mmap_mode=mode)
    assert (first == FORTRAN).all()
    assert isinstance(first, np.memmap) is (mode is not None)
    assert objects.tolist() == [None, "y"]
    assert (third == NUMBERS).all()
    assert third.dtype.isnative is (mode is None)
    assert text == "end"


@pytest.mark.parametrize("space", [False, True])
def test_compressed_files_before_0_10_are_read(space: bool, tmp_path: Path) -> None:
    """The pickle and each array in a ``ZF`` file, some with one more space in the header."""
    (tmp_path / "x_01.npy.z").write_bytes(zf(NUMBERS.tobytes(), space=space))
    (tmp_path / "x_02.npy.z").write_bytes(zf(FORTRAN.tobytes("F"), space=not space))
    content = stream(
        compressed_side_array("x_01.npy.z", NUMBERS), compressed_side_array("x_02.npy.z", FORTRAN)
    )
    (tmp_path / "x").write_bytes(zf(content, space=space))
    first, second = load(tmp_path / "x")
    assert (first == NUMBERS).all()
    assert (second == FORTRAN).all()
    first += 1
    with pytest.raises(InvalidOption, match=r"cannot map '.*x': it is compressed"):
        load(tmp_path / "x", mmap_mode="r")


def test_arrays_beside_a_stream_cannot_be_found() -> None:
    """The error says what to do; and no file reaches out of its folder."""
    with pytest.raises(CorruptFileError, match="load it by its path"):
        loads(stream(side_array("x_01.npy")))


def test_arrays_in_other_folders_are_refused(tmp_path: Path) -> None:
    """A name with a path in it is no name that joblib gave."""
    (tmp_path / "x").write_bytes(stream(side_array("../secret.npy")))
    with pytest.raises(CorruptFileError, match="outside of its own folder"):
        load(tmp_path / "x")


@pytest.mark.parametrize("protocol", range(6))
def test_plain_pickles_are_loaded(protocol: int, tmp_path: Path) -> None:
    """joblib.load reads them too; of several in a stream each is found."""
    value = {"a": [1, 2.5, "x", b"y", None], "b": np.arange(5)}
    (tmp_path / "x").write_bytes(pickle.dumps(value, protocol))
    found = load(tmp_path / "x")
    assert found["a"] == value["a"]
    assert found["b"].tolist() == [0, 1, 2, 3, 4]
    file = io.BytesIO(pickle.dumps(None, protocol) + pickle.dumps([7], protocol))
    assert [load(file), load(file)] == [None, [7]]


@pytest.mark.parametrize("content", [b"Ian was here", b"(text)", b"classes are closed", b"No."])
def test_texts_are_not_taken_for_pickles(content: bytes) -> None:
    """Old pickles begin with letters; what turns out to be none is called so."""
    with pytest.raises((FileFormatError, ModuleNotFoundError)):
        loads(content)


def test_cut_files_are_corrupt(tmp_path: Path) -> None:
    """At every byte: within an opcode, a frame, the padding, an array."""
    path = tmp_path / "x"
    for length in range(2, len(OF_1_6)):
        path.write_bytes(OF_1_6[:length])
        with pytest.raises(CorruptFileError, match=r"cannot read '.*x': it ends after"):
            load(path)


def test_lengths_that_are_lies_reserve_no_memory(tmp_path: Path) -> None:
    """A frame or an array that claims more than the file has."""
    (tmp_path / "x").write_bytes(b"\x80\x04\x95" + (1 << 60).to_bytes(8, "little") + b"N.")
    with pytest.raises(CorruptFileError, match="it ends after"):
        load(tmp_path / "x")
    state = {"subclass": np.ndarray, "shape": (1 << 50,), "order": "C", "dtype": np.dtype("u1")}
    (tmp_path / "x").write_bytes(stream(instance("NumpyArrayWrapper", state)))
    with pytest.raises(CorruptFileError, match="it ends after"):
        load(tmp_path / "x")
    state["shape"] = (-1,)
    with pytest.raises(CorruptFileError, match="description of an array"):
        loads(stream(instance("NumpyArrayWrapper", state)))


def test_texts_of_python_2_are_refused_by_name() -> None:
    """ASCII is fine, other characters cannot be known."""
    assert loads(b"\x80\x02U\x01x.") == "x"
    with pytest.raises(FileFormatError, match="read with python 3 a joblib pickle generated with python 2"):
        loads(b"\x80\x02U\x01\xe9.")


@pytest.mark.parametrize("protocol", [0, 4])
def test_joblib_is_neither_needed_nor_imported(protocol: int, tmp_path: Path) -> None:
    """Also where it is installed."""
    path = tmp_path / "x"
    dump([np.arange(3), np.array([None], object)], path, "gzip", protocol, format="joblib")
    code = (
        "import sys; from lightwork import load, dump\n"
        "assert load(sys.argv[1])[0].tolist() == [0, 1, 2]\n"
        "dump(load(sys.argv[1]), sys.argv[1], format='joblib')\n"
        "assert not [name for name in sys.modules if name.split('.')[0] == 'joblib']\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)


def test_other_names_of_joblib_are_left_to_the_user(tmp_path: Path) -> None:
    """A file that needs joblib itself says so, and what to do."""
    (tmp_path / "x").write_bytes(b"\x80\x02cjoblib.memory\nMemory\n.")
    code = (
        "import sys, lightwork\n"
        "try: lightwork.load(sys.argv[1])\n"
        "except ModuleNotFoundError as exc: assert 'joblib.memory.Memory' in str(exc), exc\n"
        "else: raise SystemExit('joblib was imported')\n"
        "renames = {'joblib.memory': 'lightwork.memory'}\n"
        "assert lightwork.load(sys.argv[1], renames=renames) is lightwork.Memory\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "x")], check=True)


def test_our_own_files_do_not_pay_for_joblibs(tmp_path: Path) -> None:
    """Neither is anything of the other formats imported."""
    code = (
        "import sys; from lightwork import load, dump\n"
        "dump([1], sys.argv[1]); load(sys.argv[1])\n"
        "wrong = [name for name in sys.modules if 'foreign.' in name or 'compressors.streams' in name]\n"
        "assert not wrong, wrong\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "x")], check=True)


def test_a_part_that_cannot_be_pickled_leaves_the_old_file(tmp_path: Path) -> None:
    """As in our own format: the part is named, the file is the one from before."""
    path = tmp_path / "x"
    dump("old", path)
    for compress in (0, "gzip"):
        with pytest.raises(UnpicklableError, match=r"cannot pickle value\[1\]"):
            dump([np.arange(5), lambda: 1], path, compress, format="joblib")
    assert load(path) == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["x"]


def test_options_that_the_format_does_not_have_are_refused(tmp_path: Path) -> None:
    """Before anything is written."""
    options: list[tuple[dict[str, Any], str]] = [
        ({"format": "pickle"}, "format='pickle' is not known"),
        ({"format": "joblib", "pickler": "cloudpickle"}, "pickler='cloudpickle'"),
        ({"format": "joblib", "protocol": 6}, "give 0 to 5"),
        ({"format": "joblib", "protocol": True}, "give 0 to 5"),
        ({"format": "joblib", "compress": "zstd"}, "joblib cannot read zstd"),
    ]
    for keywords, message in options:
        with pytest.raises(InvalidOption, match=message):
            dump([1], tmp_path / "x", **keywords)
    assert not list(tmp_path.iterdir())


def test_a_load_error_tells_what_is_here() -> None:
    """Python's own error names the module, the note the versions and the way out."""
    with pytest.raises(ModuleNotFoundError, match="no_such_module") as caught:
        loads(b"\x80\x02cno_such_module\nThing\n.")
    (note,) = caught.value.__notes__
    for text in ("do not tell what wrote them", "Python 3.", f"numpy {np.__version__}", "renames="):
        assert text in note
    with pytest.raises(UnknownFormatError, match="empty"):
        loads(b"")


def test_who_reads_a_stream_is_told_of_files_beside_it(tmp_path: Path) -> None:
    """So that a caller can warn of a format that is no longer written."""
    np.save(tmp_path / "1.npy", NUMBERS)
    content = stream(side_array("1.npy"), part("end"))
    names: list[str] = []
    around = Surroundings(native=True, folder=str(tmp_path), side_file=names.append)
    read(StreamInput(io.BytesIO(content)), around)
    assert names == ["1.npy"]


def test_a_file_object_is_let_go_when_it_was_read() -> None:
    """Not when the garbage collector comes: until then the file would stay open."""
    file = io.BufferedReader(io.BytesIO(dumps([NUMBERS], format="joblib")))
    held = weakref.ref(file)
    gc.disable()
    try:
        load(file)
        del file
        assert held() is None
    finally:
        gc.enable()
