"""`lightwork.open` and `load(keys=)`: parts of a file."""

import contextlib
import gc
import io
import os
import pickle
import sys
import threading
from argparse import Namespace
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lightwork
from lightwork import dump, load
from lightwork.errors import (
    CorruptFileError,
    FileWarning,
    InvalidOption,
    UnknownFormatError,
    UnpicklableError,
)
from lightwork.parcel import outline
from lightwork.persistence import LazyArray, OpenedFile, Parts
from lightwork.persistence.dtypes import array_facts
from tests.unit.parcel.parcel_samples import ARRAYS, FOREIGN, same
from tests.unit.persistence.hostile_calls import CANARY, calls
from tests.unit.persistence.hostile_forms import FORMS

TRAIN = np.arange(600_000.0).reshape(3000, 200)


class Model:
    """Says when it is built."""

    built = 0

    def __init__(self) -> None:
        self.coef_ = np.arange(50_000.0)
        self.name = "m"

    def __setstate__(self, state: dict[str, Any]) -> None:
        Model.built += 1
        self.__dict__.update(state)


VALUE = {
    "train": TRAIN,
    "labels": np.arange(5),
    "model": Model(),
    "in": {"list": [np.arange(4), "x"]},
    7: "n",
}


@pytest.fixture(params=[False, True], ids=["raw", "compressed"])
def path(tmp_path: Path, request: Any) -> Path:
    dump(VALUE, tmp_path / "x.lw", compress=request.param)
    return tmp_path / "x.lw"


def test_parts_are_views_or_values(path: Path) -> None:
    """Arrays and containers that hold some are views; everything else is loaded when it is asked for."""
    before = Model.built
    with lightwork.open(path) as file:
        assert file.keys() == list(file) == ["train", "labels", "model", "in", 7]
        assert len(file) == 5
        assert "in" in file
        assert "out" not in file
        train = file["train"]
        assert isinstance(train, LazyArray)
        assert (train.shape, train.ndim, len(train), train.nbytes) == (TRAIN.shape, 2, 3000, TRAIN.nbytes)
        assert train.dtype == TRAIN.dtype
        assert (train[1000:2000] == TRAIN[1000:2000]).all()
        assert (np.asarray(train) == TRAIN).all()
        assert np.asarray(file["labels"], "f4").tolist() == [0, 1, 2, 3, 4]
        assert isinstance(file["in"], Parts)
        assert file["in"]["list"][0][-1] == 3
        assert file["in"]["list"][-1] == "x"
        assert file["in"].load()["list"][1] == "x"
        assert dict(file.items())[7] == "n"
        assert Model.built == before + 1  # by items(), which asks for everything
        assert (file.load()["train"] == TRAIN).all()


def test_an_object_is_built_only_when_asked_for(path: Path) -> None:
    """Whole, from its own bytes, as `load` builds it."""
    before = Model.built
    with lightwork.open(path) as file:
        text = str(file)
        assert file["labels"][...].tolist() == [0, 1, 2, 3, 4]
        assert Model.built == before
        model = file["model"]
    assert Model.built == before + 1
    assert (model.coef_ == VALUE["model"].coef_).all()  # type: ignore[attr-defined]  # it is a Model
    assert model.coef_.flags.writeable
    assert "Model" in text
    assert "1 array" in text


def test_the_table_shows_what_is_there(path: Path) -> None:
    """One line for each key: type, shape, dtype, bytes."""
    with lightwork.open(path) as file:
        head, names, train, labels, *_ = str(file).splitlines()
        assert str(path) in head
        assert names.split() == ["key", "type", "shape", "dtype", "bytes", "in", "the", "file"]
        for part in ("'train'", "array", "(3000, 200)", "float64", "4,800,000"):
            assert part in train
        assert "raw" in train or "in blocks" in train
        assert "with other small ones" in labels
        assert repr(path.name)[1:-1] in repr(file)


def test_long_tables_are_cut(tmp_path: Path) -> None:
    """Twenty thousand arrays are no table for people."""
    dump([np.arange(3)] * 150, tmp_path / "x")
    assert str(lightwork.open(tmp_path / "x")).endswith("… and 50 more")


def test_the_attributes_of_an_object_are_keys(path: Path) -> None:
    """Of the outermost object, as it was written; it is not built for that."""
    dump(Model(), path)
    before = Model.built
    with lightwork.open(path) as file:
        assert file.keys() == ["coef_", "name"]
        assert file["coef_"][10:12].tolist() == [10.0, 11.0]
    (coef,) = load(path, keys=["coef_"]).values()
    assert (coef == np.arange(50_000.0)).all()
    assert Model.built == before


def test_a_single_array_is_sliced_at_once(path: Path) -> None:
    """No key is needed for it."""
    dump(TRAIN, path)
    with lightwork.open(path) as file:
        assert file.array.shape == TRAIN.shape
        assert (file[5:7] == TRAIN[5:7]).all()
        assert file.keys() == []
        assert "(3000, 200)" in str(file)


def test_other_values_are_loaded_whole(path: Path) -> None:
    """A text, a number: no keys, and the error says so."""
    dump("text", path)
    with lightwork.open(path) as file:
        assert file.load() == "text"
        assert file.keys() == []
        with pytest.raises(KeyError, match="holds a str, which has no keys"):
            file["x"]
        with pytest.raises(InvalidOption, match="holds a str, not one array"):
            file.array


@pytest.mark.parametrize("name", [*ARRAYS, *FOREIGN])
def test_arrays_of_every_kind(name: str, tmp_path: Path) -> None:
    """What comes out is what `load` gives: dtype, order and byte order too."""
    array = {**ARRAYS, **FOREIGN}[name]
    dump({"x": array}, tmp_path / "x", compress=True)
    expected = load(tmp_path / "x")["x"]
    with lightwork.open(tmp_path / "x") as file:
        found = file["x"]
        if isinstance(found, LazyArray):
            assert found.dtype == expected.dtype
            found = found[...]
        assert same(found, expected)
    assert same(load(tmp_path / "x", keys=["x"])["x"], expected)


def test_keys_are_loaded_together(tmp_path: Path) -> None:
    """What two of them share is one object, as it was; the keys may be anything that a dictionary takes."""
    shared, day = np.arange(5), pd.Timestamp("2020-01-01")
    dump({"a": shared, "b": [shared], day: 1, (1, 2): 3}, tmp_path / "x")
    found = load(tmp_path / "x", keys=["b", "a", day, (1, 2)])
    assert list(found) == ["b", "a", day, (1, 2)]
    assert found["a"] is found["b"][0]
    assert found["a"].flags.writeable
    assert (found[day], found[1, 2]) == (1, 3)
    dump((shared, "x", "y"), tmp_path / "x")
    assert load(tmp_path / "x", keys=[1, -1]) == {1: "x", -1: "y"}


def test_byte_order_can_be_kept(tmp_path: Path) -> None:
    """`ensure_native_byte_order` means what it means without keys."""
    dump(FOREIGN, tmp_path / "x")
    array = FOREIGN["many"]
    assert load(tmp_path / "x", keys=["many"])["many"].dtype.isnative
    assert load(tmp_path / "x", ensure_native_byte_order=False, keys=["many"])["many"].dtype == array.dtype


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"keys": "train"}, r"'train' is one key: give a list"),
        (
            {"keys": ["train", "tain"]},
            r"'tain' is no key of .* which has 'train', 'labels', 'model', 'in', 7",
        ),
        ({"keys": ["train"], "mmap_mode": "r"}, "exclude each other"),
    ],
)
def test_wrong_keys_are_refused(path: Path, arguments: Any, message: str) -> None:
    """Naming the key and those that there are."""
    with pytest.raises(InvalidOption, match=message):
        load(path, **arguments)


def test_streams_have_no_keys(path: Path) -> None:
    """Parts are read at their places, which a stream has not."""
    with io.BytesIO(path.read_bytes()) as file:
        with pytest.raises(InvalidOption, match="needs a path"):
            load(file, keys=["train"])
        with pytest.raises(InvalidOption, match="needs a path"):
            lightwork.open(file)  # type: ignore[arg-type]  # that is the point


def test_missing_keys_are_key_errors(path: Path) -> None:
    """As those of a dictionary, with the keys that there are."""
    with lightwork.open(path) as file, pytest.raises(KeyError, match="'tain' is no key of <dict of 5 in"):
        file["tain"]


def test_closed_files_say_so(path: Path) -> None:
    """What was read stays; a view says which file was closed; the descriptor is free."""
    before = len(os.listdir("/proc/self/fd"))
    with lightwork.open(path) as file:
        train, rows, parts = file["train"], file["train"][:2], file["in"]
    assert file.closed
    assert len(os.listdir("/proc/self/fd")) == before
    assert (rows == TRAIN[:2]).all()
    assert train.shape == TRAIN.shape
    for read in (lambda: train[0], lambda: file["model"], lambda: file[7], parts.load, file.load):
        with pytest.raises(InvalidOption, match=r"cannot read '.*x\.lw': it was closed"):
            read()
    file.close()


def test_the_last_view_closes_the_file(path: Path) -> None:
    """Without ``with``: nothing is left open, no collector is needed, nothing warns."""
    before = len(os.listdir("/proc/self/fd"))
    gc.disable()
    try:
        train = lightwork.open(path)["train"]
        assert (train[1] == TRAIN[1]).all()
        assert len(os.listdir("/proc/self/fd")) == before + 1
        del train
        assert len(os.listdir("/proc/self/fd")) == before
    finally:
        gc.enable()


def test_a_replaced_file_is_still_read(path: Path) -> None:
    """`dump` to the same path makes a new file; who has the old one open goes on reading it."""
    with lightwork.open(path) as file:
        dump("something else", path)
        assert (file["train"][1000:2000] == TRAIN[1000:2000]).all()
    assert load(path) == "something else"


def test_a_file_that_is_cut_while_it_is_open_is_an_error(path: Path) -> None:
    """Nothing is mapped, so nothing kills the process."""
    with lightwork.open(path) as file:
        os.truncate(path, 5000)
        with pytest.raises(CorruptFileError, match=r"cannot read '.*x\.lw': it became shorter"):
            file["train"][...]


def test_arrays_that_were_mapped_for_writing_can_be_read(tmp_path: Path) -> None:
    """With a warning, as for `load`."""
    dump(VALUE, tmp_path / "x")
    load(tmp_path / "x", mmap_mode="r+")["train"][0, 0] = -1.0
    with pytest.warns(FileWarning, match="mapped for writing"):
        assert lightwork.open(tmp_path / "x")["train"][0, 0] == -1.0


def test_other_files_are_refused(tmp_path: Path) -> None:
    """Foreign ones, damaged ones, and what is no file: as from `load`."""
    (tmp_path / "x").write_bytes(b"\x80\x05N.")
    with pytest.raises(UnknownFormatError, match=r"x'.*pickle.*in parts"):
        lightwork.open(tmp_path / "x")
    dump(VALUE, tmp_path / "x")
    with open(tmp_path / "x", "ab") as file:
        file.write(b"more")
    with pytest.raises(CorruptFileError, match="x'"):
        lightwork.open(tmp_path / "x")
    os.mkfifo(tmp_path / "pipe")
    for other in ("pipe", "."):
        with pytest.raises(InvalidOption, match="no regular file"):
            lightwork.open(tmp_path / other)
    with pytest.raises(FileNotFoundError):
        lightwork.open(tmp_path / "missing")


@pytest.mark.slow
@pytest.mark.parametrize("compress", [False, True])
def test_flipped_bits_are_found(compress: bool, tmp_path: Path) -> None:
    """In whatever is read; the padding before raw arrays is not."""
    value = [np.arange(300), "text", list(range(100))]
    dump(value, tmp_path / "x", compress=compress)
    data, errors = bytearray((tmp_path / "x").read_bytes()), 0
    for place in range(0, len(data), 11):
        data[place] ^= 1 << (place % 8)
        (tmp_path / "x").write_bytes(data)
        data[place] ^= 1 << (place % 8)
        try:
            found = lightwork.open(tmp_path / "x").load()
        except (CorruptFileError, UnknownFormatError):
            errors += 1
        else:
            assert repr(found) == repr(value)
    assert errors > len(data) // 11 - 64 // 11 - 2


def test_renamed_classes_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`renames` means what it means without keys."""
    dump(VALUE, tmp_path / "x")
    monkeypatch.delattr(f"{__name__}.Model")
    found = load(tmp_path / "x", keys=["model"], renames={f"{__name__}.Model": "argparse.Namespace"})
    assert type(found["model"]) is Namespace
    assert found["model"].name == "m"


def test_errors_of_objects_tell_what_wrote_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And other keys of a file whose class is gone can still be read."""
    dump(VALUE, tmp_path / "x")
    monkeypatch.delattr(f"{__name__}.Model")
    with lightwork.open(tmp_path / "x") as file:
        assert file["train"][0, 1] == 1.0
        with pytest.raises(AttributeError) as caught:
            file["model"]
    assert "was written by lightwork" in caught.value.__notes__[0]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_many_threads_and_a_fork_read_one_file(path: Path) -> None:
    """Each gets its own rows."""
    with lightwork.open(path) as file:
        train, wrong = file["train"], []

        def read(start: int) -> None:
            for row in range(start, 3000, 97):
                if not (train[row] == TRAIN[row]).all():
                    wrong.append(row)

        threads = [threading.Thread(target=read, args=(start,)) for start in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        child = os.fork()
        if child == 0:
            os._exit(0 if (train[::100] == TRAIN[::100]).all() else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.slow
def test_a_slice_of_a_large_file_is_cheap(tmp_path: Path) -> None:
    """Half a gigabyte of zeros, compressed to nothing: a megabyte out of the end of them."""
    dump({"x": np.broadcast_to(np.zeros(1 << 15), (1 << 11, 1 << 15))}, tmp_path / "x", compress=True)
    with lightwork.open(tmp_path / "x") as file:
        assert file["x"].nbytes == 1 << 29
        assert file["x"][-4:].shape == (4, 1 << 15)


@pytest.mark.parametrize("kind", [OrderedDict, lambda value: defaultdict(int, value)])
def test_other_dictionaries_have_keys(kind: Any, tmp_path: Path) -> None:
    """The outermost one, whatever its class."""
    dump(kind({"a": np.arange(3), (1, 2): "b"}), tmp_path / "x")
    assert load(tmp_path / "x", keys=[(1, 2)]) == {(1, 2): "b"}
    with lightwork.open(tmp_path / "x") as file:
        assert file["a"][1:].tolist() == [1, 2]


def test_files_with_classes_of_their_own_are_loaded_whole(tmp_path: Path) -> None:
    """An error that names the file and the way out."""

    class Local:
        pass

    dump({"a": 1, "b": Local()}, tmp_path / "x", pickler="cloudpickle")
    for read in (lightwork.open, lambda path: load(path, keys=["a"])):
        with pytest.raises(UnpicklableError, match=r"cannot read parts of '.*x': .*load\(path\)"):
            read(tmp_path / "x")


def test_namespaces_and_slots_have_keys(tmp_path: Path) -> None:
    """However an object writes its attributes, as long as they have names."""
    dump(Namespace(a=np.arange(3), b=1), tmp_path / "x")
    assert load(tmp_path / "x", keys=["a", "b"])["b"] == 1
    dump(Slotted(), tmp_path / "x")
    assert load(tmp_path / "x", keys=["left"]) == {"left": 3}


class Slotted:
    """Has no dictionary."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = 3


def test_it_is_no_name_of_a_star_import() -> None:
    """The built-in `open` must still be there after ``from lightwork import *``."""
    assert "open" not in lightwork.__all__
    assert "open" in dir(lightwork)
    assert OpenedFile.__module__ == "lightwork.persistence.opening"


class _Evil:
    """A dtype that would run something."""

    def __reduce__(self) -> tuple[object, ...]:
        return print, ("unpickled!",)


def test_a_table_builds_nothing_of_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Dtypes are made from what the file says of them; one that says anything else stays unknown."""
    kinds = {
        "structure": np.dtype([("x", "<f4"), ("y", ">i8", (2, 3)), ("z", [("w", "S5")])]),
        "record": np.dtype((np.record, [("x", "<f4")])),
        "day": np.dtype("M8[D]"),
        "text": np.dtype("U7"),
        "foreign": np.dtype(">c16"),
        "bool": np.dtype("?"),
    }
    value = {name: np.zeros((3, 2), dtype) for name, dtype in kinds.items()}
    dump(value, tmp_path / "x")
    with lightwork.open(tmp_path / "x") as file:
        rows = {row.key: row for row in file.rows()}
        for name, array in value.items():
            shown = file[name].dtype
            row = rows[repr(name)]
            assert (row.shape, row.nbytes) == ("(3, 2)", f"{array.nbytes:,}")
            assert row.dtype == str(shown), name
    content = (tmp_path / "x").read_bytes()
    assert content.count(b"numpy") > 0
    evil = {"a": np.zeros(300_000), "b": _Evil()}
    dump(evil, tmp_path / "y")
    with lightwork.open(tmp_path / "y") as file:
        assert "'b'" in str(file)
    assert "unpickled!" not in capsys.readouterr().out


def test_a_dtype_that_is_none_is_told_and_not_built(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever stands in its place in a crafted file."""
    skeleton = pickle.dumps(_Evil())
    part = outline.outline(skeleton, 0)
    found = array_facts(outline.ArrayAt((2,), part, 0, 0, "C"))
    assert found == ((2,), None, None)
    good = outline.outline(pickle.dumps(np.dtype("i4")), 0)
    assert array_facts(outline.ArrayAt((2, 3), good, 0, 0, "C")) == ((2, 3), np.dtype("i4"), 24)
    for shape in (part, (2, part), (-1,), [2]):
        with pytest.raises(CorruptFileError, match="shape"):
            array_facts(outline.ArrayAt(shape, good, 0, 0, "C"))  # type: ignore[arg-type]  # a crafted one
    states: list[tuple[Any, ...] | None] = [None, (3,), (3, "?", *[None] * 3, -1, -1, 0)]
    for state in [*states, (3, "<", None, ("a",), {}, 1, 1, 0)]:
        crafted: Any = outline.outline(pickle.dumps(np.dtype("i4")), 0)
        crafted.state = state
        with pytest.raises(CorruptFileError):
            array_facts(outline.ArrayAt((2,), crafted, 0, 0, "C"))
    assert capsys.readouterr().out == ""


def test_a_table_of_a_hostile_file_runs_nothing(tmp_path: Path) -> None:
    """What would be called or imported is not, whatever else is told of such a file."""
    mark = tmp_path / "mark"
    hostile = {**calls(str(mark)), **FORMS}
    del hostile["memo bomb"]  # which costs what it costs
    assert len(hostile) > 20
    shown = 0
    for _, data, _ in hostile.values():
        (tmp_path / "x").write_bytes(data)
        with contextlib.suppress(Exception), lightwork.open(tmp_path / "x") as file:
            shown += bool(file.rows())  # it may contradict itself in any way
    assert shown
    assert not mark.exists()
    assert CANARY not in sys.modules


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (np.arange(6).reshape(2, 3), r"holds an array: lightwork\.open\('.*x'\)\[0\] reads a row"),
        (pd.DataFrame({"a": [1.0]}), "holds a pandas.DataFrame, .*dump a dictionary of them"),
        (5, "holds a value of type int: load it whole"),
    ],
)
def test_keys_of_what_has_none_tell_what_can_be_done(tmp_path: Path, value: Any, told: str) -> None:
    """Not what the library keeps an object in."""
    dump(value, tmp_path / "x")
    with pytest.raises(InvalidOption, match=told):
        load(tmp_path / "x", keys=["a"])
