"""Frames, matrices and tensors in files: loaded or mapped, without a copy of all of it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
from sklearn.tree import DecisionTreeRegressor

from lightwork import Memory, Parallel, delayed, dump, dumps, inspect, load, loads
from lightwork.errors import FileWarning
from lightwork.parcel import layout, parcels
from tests.unit.parcel.family_samples import ARROW, FRAMES, NUMBERS, NUMPY, POLARS, ROWS, SPARSE, TEXTS

SAMPLES: dict[str, Callable[[], Any]] = {
    f"{library}: {name}": make
    for library, samples in {
        "numpy": NUMPY,
        "pandas": FRAMES,
        "scipy": SPARSE,
        "arrow": ARROW,
        "polars": POLARS,
    }.items()
    for name, make in samples.items()
}


def agree(found: Any, value: Any) -> bool:
    if type(found) is not type(value) and not isinstance(found, np.memmap):
        return False
    if isinstance(value, np.ndarray):
        return bool(found.tolist() == value.tolist())
    if scipy.sparse.issparse(value):
        return bool((found != value).nnz == 0)
    return bool(found.equals(value))


@pytest.mark.parametrize("make", SAMPLES.values(), ids=SAMPLES)
def test_every_family_survives_a_file(make: Callable[[], Any], tmp_path: Path) -> None:
    """Loaded, mapped privately, mapped read-only, and compressed."""
    value, path = make(), tmp_path / "x.lw"
    dump(value, path)
    assert inspect(path).skeleton_nbytes < 5000
    assert agree(load(path), value)
    assert agree(load(path, mmap_mode="c"), value)
    assert agree(load(path, mmap_mode="r"), value)
    dump(value, path, compress=True)
    assert agree(load(path), value)


def mapped_from(path: Path, address: int) -> bool:
    """Whether an address lies in a mapping of the file."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        start, end = (int(part, 16) for part in line.split()[0].split("-"))
        if start <= address < end:
            return line.endswith(str(path))
    return False


def address_of(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_all_arrays_of_a_frame_are_views_of_the_file(tmp_path: Path) -> None:
    """Numbers, texts in arrow, categories and the index: nothing is read."""
    value = pd.DataFrame(
        {
            "number": NUMBERS,
            "text": pd.Series(TEXTS, dtype="string[pyarrow]").array,
            "category": pd.Categorical(["a", "b"] * (ROWS // 2)),
        },
        index=NUMBERS * 2,
    )
    path = tmp_path / "x.lw"
    dump(value, path)
    found = load(path, mmap_mode="c")
    addresses = [
        address_of(found["number"].to_numpy()),
        address_of(found["category"].array.codes),
        address_of(found.index.to_numpy()),
        *(buffer.address for buffer in pa.array(found["text"].array).buffers() if buffer),
    ]
    assert all(mapped_from(path, address) for address in addresses)
    found.loc[0.0, "number"] = 5.0
    assert load(path).loc[0.0, "number"] == 0.0


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_arrays_of_a_model_sparse_matrices_and_frames_of_polars_are_views(tmp_path: Path) -> None:
    """What the library does not copy when it is given an array lies in the file."""
    sparse = scipy.sparse.random(400, 400, 0.3, "csr", random_state=0)
    value = [np.ma.masked_greater(NUMBERS, 3), sparse, pl.DataFrame({"a": np.arange(30_000)})]
    path = tmp_path / "x.lw"
    dump(value, path)
    masked, matrix, frame = load(path, mmap_mode="c")
    for array in (masked.data, masked.mask, matrix.data, matrix.indices, frame["a"].to_numpy()):
        assert mapped_from(path, address_of(array))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_weights_are_views_of_the_file(tmp_path: Path) -> None:
    """A mapped ``state_dict`` costs nothing until it is used; changes to it are private."""
    torch: Any = pytest.importorskip("torch")
    model = torch.nn.Linear(200, 300)
    path = tmp_path / "x.lw"
    dump(model.state_dict(), path)
    found = load(path, mmap_mode="c")
    assert mapped_from(path, found["weight"].data_ptr())
    found["weight"].zero_()
    assert torch.equal(load(path)["weight"], model.weight)
    shared = load(path, mmap_mode="r+")
    shared["weight"].zero_()
    with pytest.warns(FileWarning):
        assert not load(path)["weight"].any()
    read_only = load(path, mmap_mode="r")
    read_only["weight"].fill_(1)  # a copy: torch has no read-only tensors
    with pytest.warns(FileWarning):
        assert not load(path)["weight"].any()


def test_mapping_a_compressed_file_names_the_segment(tmp_path: Path) -> None:
    """Nothing is loaded in silence in its place."""
    dump(pd.DataFrame({"a": NUMBERS}), tmp_path / "x.lw", compress=True)
    with pytest.raises(Exception, match="segment 0 is compressed"):
        load(tmp_path / "x.lw", mmap_mode="c")


def sparse_container(path: Path, items: int) -> None:
    """A file with one array of zeros that takes no room on the disk."""
    skeleton = parcels.split(np.zeros(20_000)).skeleton.replace(
        b"M" + (20_000).to_bytes(2, "little"), b"\x8a\x05" + items.to_bytes(5, "little")
    )
    slot = layout.Slot(items * 8, False)
    with path.open("wb") as file:
        file.write(layout.pack_header())
        file.write(layout.pack_frame(layout.SKELETON, skeleton, plain=len(skeleton)) + skeleton)
        table = layout.pack_table([slot])
        file.write(layout.pack_frame(layout.TABLE, table, plain=len(table)) + table)
        start = file.tell() + layout.padding(file.tell())
        end = start + slot.nbytes
        file.seek(end)
        marks = bytes(-(-slot.nbytes // layout.PIECE) * layout.DIGEST)  # not looked at by a mapping
        tail = layout.pack_tail(layout.Tail({}, [layout.Place(slot, start, marks)]))
        file.write(layout.pack_frame(layout.TAIL, tail, plain=len(tail)) + tail)
        total = file.tell() + layout.FOOTER
        file.write(layout.pack_footer(layout.Footer(end, len(skeleton), total, changed=False)))


def test_arrays_of_more_than_four_gigabytes_are_mapped(tmp_path: Path) -> None:
    """No length or position is cut to 32 bits. The file is one hole."""
    items = (5 << 30) // 8
    path = tmp_path / "x.lw"
    sparse_container(path, items)
    found = load(path, mmap_mode="c")
    assert found.shape == (items,)
    found[-1] = 7
    assert found[-1] == 7
    assert found[0] == 0
    assert path.stat().st_blocks * 512 < 1 << 20


MEMORY = """
import resource, sys
import numpy as np, pyarrow as pa
import lightwork

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

path, kind, compress, action = sys.argv[1], sys.argv[2], bool(int(sys.argv[3])), sys.argv[4]
if action == "load":
    lightwork.loads(lightwork.dumps(np.arange(10), compress=compress))
    before = peak()
    value = lightwork.load(path)
    print(peak() - before)
else:
    array = np.arange(25_000_000.0)
    value = {
        "contiguous": lambda: array,
        "strided": lambda: array.reshape(5000, -1)[:, ::2],
        "arrow": lambda: pa.array(array),
        "masked": lambda: np.ma.masked_array(array),
    }[kind]()
    lightwork.dumps(np.arange(10), compress=compress)
    before = peak()
    lightwork.dump(value, path, compress=compress)
    print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "compress"),
    [("contiguous", 0), ("contiguous", 1), ("strided", 0), ("arrow", 0), ("masked", 1)],
)
def test_the_memory_to_dump_and_load_is_a_few_blocks(kind: str, compress: int, tmp_path: Path) -> None:
    """200 MB are written and read with at most 64 MB besides the array itself."""
    path = tmp_path / "x.lw"
    nbytes = 100_000_000 if kind == "strided" else 200_000_000

    def measure(action: str) -> int:
        command = [sys.executable, "-c", MEMORY, str(path), kind, str(compress), action]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert measure("dump") < 64 << 20
    assert measure("load") < nbytes + (64 << 20)


def described(value: Any) -> tuple[str, int]:
    return type(value).__name__, len(value)


FEW = {
    name: SAMPLES[name]
    for name in ("numpy: masked", "numpy: texts", "pandas: texts", "arrow: slice", "polars: frame")
}


@pytest.mark.slow
def test_families_are_arguments_and_results_of_parallel_calls() -> None:
    """They reach workers and come back as what they were."""
    values = [make() for make in FEW.values()]
    found = Parallel(n_jobs=2)(delayed(lambda value: (described(value), value))(value) for value in values)
    for value, (text, answer) in zip(values, found, strict=True):
        assert text == described(value)
        assert agree(answer, value)


@pytest.mark.parametrize("make", FEW.values(), ids=FEW)
def test_families_are_results_that_are_remembered(make: Callable[[], Any], tmp_path: Path) -> None:
    """A hit gives what the function gave."""
    value = make()
    calls = []

    def give(number: int) -> Any:
        calls.append(number)
        return value

    cached = Memory(tmp_path).cache(give, version="1", track="none")
    cached(1)
    assert agree(cached(1), value)
    assert calls == [1]


def test_a_model_survives(tmp_path: Path) -> None:
    """Trees predict the same, loaded or mapped."""
    data = np.random.default_rng(0).random((500, 3))
    model = DecisionTreeRegressor(random_state=0).fit(data, data[:, 0])
    dump(model, tmp_path / "x.lw")
    for found in (load(tmp_path / "x.lw"), load(tmp_path / "x.lw", mmap_mode="c")):
        assert (found.predict(data) == model.predict(data)).all()


@pytest.mark.parametrize(
    ("make", "most"),
    [
        (lambda: pa.array([f"name{number % 1000}" for number in range(100_000)]), 0.05),
        (lambda: pa.array([["x"] * (n % 5) for n in range(50_000)], pa.large_list(pa.string())), 0.05),
        (lambda: pa.array(np.arange(100_000) * 1000, pa.timestamp("us")), 0.05),
        (lambda: pa.array(np.arange(100_000, dtype="i4") * 7).dictionary_encode(), 0.1),
    ],
)
def test_whole_numbers_of_arrow_are_shuffled(make: Any, most: float) -> None:
    """Offsets of texts and lists, dates and codes: compressed they take a fraction of their size."""
    array = make()
    data = dumps(array, True)
    assert len(data) < most * array.nbytes
    assert loads(data).equals(array)
