"""`load(safe=True)`: what is built equals what was dumped; `trusted` admits more, by name."""

import io
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest

from lightwork import dump, dumps, load, loads
from lightwork.errors import InvalidOption, UnsafeFileError
from lightwork.parcel import reader
from lightwork.parcel.inputs import FileInput
from tests.unit.persistence.hostile_skeletons import (
    BUILD,
    MARK,
    MEMO,
    NEW,
    NONE,
    REDUCE,
    Reduced,
    arrow,
    call,
    dtype,
    group,
    mapping,
    name,
    number,
    pickled,
    sparse,
    text,
)
from tests.unit.persistence.safe_samples import FAMILIES, SAMPLES, same


class Model:
    """A class of the user."""

    def __init__(self, weights: Any) -> None:
        self.weights = weights
        self.me = self


def function(value: object) -> object:
    """Of a trusted module, and not to be called for a file."""
    raise AssertionError("a function was called")


@pytest.mark.parametrize("sample", SAMPLES)
def test_what_is_built_equals_what_was_dumped(sample: str) -> None:
    """In type, content, dtype, order, names, zones and flags; raw and compressed."""
    value = SAMPLES[sample]
    for compress in (0, True):
        assert same(value, loads(dumps(value, compress), safe=True))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["r", "c"])
def test_what_is_mapped_equals_what_an_ordinary_load_maps(mode: Literal["r", "c"], tmp_path: Path) -> None:
    """Of every library; arrays are mapped, and what else there is lies in the map if it can."""
    path = tmp_path / "x.lw"
    for sample, value in (FAMILIES["large"] | FAMILIES["arrow"]).items():
        dump(value, path, False)
        expected, found = load(path, mmap_mode=mode), load(path, mmap_mode=mode, safe=True)
        assert type(found) is type(expected)
        assert found.equals(expected) if hasattr(found, "equals") else same(expected, found), sample


def test_values_that_contain_themselves() -> None:
    """Cycles through lists, and through tuples, which pickles write in a way of their own."""
    inner: list[Any] = []
    inner.append((inner,))
    found = loads(dumps(inner, 0), safe=True)
    assert found[0][0] is found
    again = loads(dumps(inner[0]), safe=True)
    assert again[0][0] is again


def test_shared_parts_stay_shared() -> None:
    """One array in two places is one array in two places."""
    array = np.arange(5)
    first, second = loads(dumps([array, array]), safe=True)
    assert first is second


def test_every_way_of_loading_can_be_safe(tmp_path: Path) -> None:
    """Paths, streams, bytes, mapped; arrays turned to the byte order of the machine or left."""
    path = tmp_path / "x.lw"
    value: dict[str, Any] = {"a": np.arange(50_000, dtype=">i4"), "b": [np.arange(3.0)]}
    dump(value, path)
    for found in (
        load(path, safe=True),
        load(io.BytesIO(path.read_bytes()), safe=True),
        loads(path.read_bytes(), safe=True),
        load(path, mmap_mode="c", safe=True),
    ):
        assert (found["a"] == value["a"]).all()
        assert (found["b"][0] == value["b"][0]).all()
    assert load(path, safe=True)["a"].dtype.isnative
    assert load(path, None, False, safe=True)["a"].dtype == value["a"].dtype
    mapped = load(path, mmap_mode="r", safe=True)["a"]
    assert isinstance(mapped, np.memmap)
    assert not mapped.flags.writeable


class Notes:
    """A guard that admits everything, and writes down what it is told."""

    def __init__(self) -> None:
        self.skeleton = self.stored = self.plain = 0

    def unfold(self, stored: int, plain: int) -> None:
        self.skeleton += plain

    def admit(self, skeleton: bytes, buffers: int) -> None:
        assert len(skeleton) == self.skeleton

    def expand(self, stored: int, plain: int) -> None:
        self.stored, self.plain = self.stored + stored, self.plain + plain


@pytest.mark.parametrize("compress", [False, True])
def test_a_guard_learns_what_the_file_becomes(compress: bool, tmp_path: Path) -> None:
    """Bytes of the file against bytes of memory; mapped buffers are in the file and take no memory."""
    path = tmp_path / "x.lw"
    dump(np.zeros(500_000), path, compress)
    with open(path, "rb") as file:
        notes = Notes()
        reader.read(FileInput(file.fileno()), notes)
        assert notes.plain == 4_000_000
        assert (notes.stored < 1000) if compress else (notes.stored == 4_000_000)
        if not compress:
            mapped = Notes()
            reader.read_mapped(FileInput(file.fileno()), mapped)
            assert (mapped.stored, mapped.plain) == (4_000_000, 0)


def test_objects_of_trusted_modules_are_built() -> None:
    """By module, by package, by the full name of the type; a part of a name is no name."""
    data = dumps(Model([1, 2]))
    for trusted in (["tests"], [__name__], [f"{__name__}.Model"]):
        found = loads(data, safe=True, trusted=trusted)
        assert type(found) is Model
        assert found.weights == [1, 2]
        assert found.me is found
    for trusted in ([], ["test"], [f"{__name__}.Mod"], ["Model"]):
        with pytest.raises(UnsafeFileError, match=r"test_persistence_safe\.Model"):
            loads(data, safe=True, trusted=trusted)


def test_functions_of_trusted_modules_are_values() -> None:
    """They are called only if they are trusted by their full names."""
    assert loads(dumps(function), safe=True, trusted=["tests"]) is function
    data = dumps(Reduced(function, (1,)))
    with pytest.raises(UnsafeFileError, match="only be a value"):
        loads(data, safe=True, trusted=["tests"])
    with pytest.raises(AssertionError, match="was called"):
        loads(data, safe=True, trusted=[f"{__name__}.function"])


def test_borrowed_names_are_not_trusted() -> None:
    """What a trusted module has imported from elsewhere is not its own."""
    data = pickled(call(f"{__name__}:io.open", text("x")))
    with pytest.raises(UnsafeFileError, match="which is not trusted"):
        loads(data, safe=True, trusted=["tests"])


def test_texts_that_arrow_keeps_in_the_way_of_pandas() -> None:
    """Some versions of pandas write them so; they may be of a dtype that is kept in Python."""
    texts = arrow([0, 1, 1, 3], b"abc", valid=b"\x05")
    kind = call("pandas:StringDtype", text("python"))
    data = pickled(
        name("pandas.arrays:ArrowStringArray"), b")", NEW, mapping(_pa_array=texts, _dtype=kind), BUILD
    )
    assert list(loads(data, safe=True)) == ["a", pd.NA, "bc"]


def test_checked_indices_stay_as_they_were_checked() -> None:
    """An array of the other byte order in the same buffer, turned round in place, would turn them too."""
    shared = b"\x96" + (8).to_bytes(8, "little") + np.array([0, 2], "<i4").tobytes() + MEMO
    made = call("lightwork.parcel.rebuild:array_type") + MEMO
    native = made + group(group(number(2)), dtype("i4"), b"h\x00") + REDUCE
    state = group(number(3), b"\x8c\x01>", NONE, NONE, NONE, number(-1), number(-1), number(0))
    turned = call("numpy:dtype", text("i4"), b"\x89", b"\x88") + state + BUILD
    foreign = b"h\x01" + group(group(number(2)), turned, b"h\x00") + REDUCE
    data = pickled(MARK, shared, sparse(indices=native), foreign, b"t")
    _, matrix, array = loads(data, safe=True)
    assert matrix.indices.tolist() == [0, 2]
    assert array.tolist() == [0, 2 << 24]


@pytest.mark.slow
def test_models_of_scikit_learn() -> None:
    """`trusted=["sklearn"]` is enough for a forest; without it the refusal names every type."""
    ensemble = pytest.importorskip("sklearn.ensemble")
    rng = np.random.default_rng(0)
    data, target = rng.random((50, 3)), rng.integers(0, 2, 50)
    model = ensemble.RandomForestClassifier(5, random_state=0).fit(data, target)
    content = dumps(model, True)
    found = loads(content, safe=True, trusted=["sklearn"])
    assert (found.predict_proba(data) == model.predict_proba(data)).all()
    with pytest.raises(UnsafeFileError, match=r"sklearn\.tree\._tree\.Tree.*trusted=\['sklearn'\]"):
        loads(content, safe=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"safe": 1}, "safe=1 is not possible"),
        ({"trusted": ["sklearn"]}, "needs safe=True"),
        ({"safe": True, "trusted": "sklearn"}, "is no list of names"),
        ({"safe": True, "trusted": [np]}, "is not the name of a package"),
        ({"safe": True, "trusted": ["sk learn"]}, "is not the name of a package"),
        ({"safe": True, "trusted": ["sklearn."]}, "is not the name of a package"),
    ],
)
def test_options_are_checked_before_the_file_is_opened(options: dict[str, Any], message: str) -> None:
    """A wrong name would otherwise be found when the file is refused."""
    with pytest.raises(InvalidOption, match=message):
        load("there-is-no-such-file", **options)
    with pytest.raises(InvalidOption, match=message):
        loads(b"", **options)


def test_an_array_that_holds_itself_is_refused_and_not_called_damaged(tmp_path: Path) -> None:
    """Nothing is wrong with the file: `load` reads it."""
    array = np.empty(2, object)
    array[0] = [array]
    path = tmp_path / "x.lw"
    dump(array, path)
    loaded = load(path)
    assert loaded[0][0] is loaded
    with pytest.raises(UnsafeFileError, match="array of objects that holds itself"):
        load(path, safe=True)
