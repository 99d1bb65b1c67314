"""What goes wrong around a cache costs the cache, never the call: values are right, and nothing is raised."""

import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightwork import Memory
from lightwork.errors import CacheWarning, UnpicklableError
from lightwork.protocols import Store
from lightwork.stores import FileStore, SqliteStore

SIZES = (10, 200_000)  # inside the database, and a blob


def filled(value: int, size: int = 10) -> Any:
    return np.full(size, value)


@pytest.fixture(params=[SqliteStore, FileStore])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Memory]]:
    """Opens the cache ``tmp_path / "cache"`` anew, as another process would."""
    stores: list[Store] = []

    def make() -> Memory:
        for store in stores:
            store.close()
        stores.append(request.param(tmp_path / "cache"))
        return Memory(store=stores[-1])

    yield make
    for store in stores:
        store.close()


def files_of(folder: Path) -> list[Path]:
    """Files that hold results or notes."""
    ours = (".gitignore", "CACHEDIR.TAG", "locks")
    return [path for path in folder.rglob("*") if path.is_file() and path.name not in ours]


def all_right(cached: Any) -> bool:
    """Whether all calls give what the function would."""
    return all((cached(value, size) == value).all() for value in range(3) for size in SIZES)


def test_a_folder_that_is_deleted_is_made_again(opened: Callable[[], Memory], tmp_path: Path) -> None:
    """Between calls, and while one is computed; values that were mapped from it stay."""
    memory = opened()
    cached = memory.cache(filled)
    mapped = cached(7, SIZES[1])
    mapped = cached(7, SIZES[1])
    shutil.rmtree(tmp_path / "cache")
    assert all_right(cached)
    assert (mapped == 7).all()

    @memory.cache
    def deletes(size: int) -> Any:
        shutil.rmtree(tmp_path / "cache")
        return np.full(size, 5)

    for size in SIZES:
        assert (deletes(size) == 5).all()
    shutil.rmtree(tmp_path / "cache")
    cached.forget(1)
    cached.clear()
    memory.entries(), memory.verify(), memory.stats()
    memory.reduce_size(items_limit=0)
    memory.clear(warn=False)
    assert all_right(cached)
    assert all_right(cached)
    assert cached.check_call_in_cache(1)


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete"])
def test_damaged_files_are_misses(opened: Callable[[], Memory], tmp_path: Path, damage: str) -> None:
    """All of them at once: they are computed again, and kept again."""
    cached = opened().cache(filled)
    assert all_right(cached)
    opened()  # closes what was open
    for path in files_of(tmp_path / "cache"):
        content = bytearray(path.read_bytes())
        for place in range(0, len(content), 97):
            content[place] ^= 0x5A
        if damage == "delete":
            path.unlink()
        else:
            path.write_bytes(content if damage == "flip" else b"")
    cached = opened().cache(filled)
    assert all_right(cached)
    hits = cached.stats().hits
    assert all_right(cached)
    assert cached.stats().hits == hits + 6


def test_foreign_files_are_left_alone(opened: Callable[[], Memory], tmp_path: Path) -> None:
    """Files, folders and dangling links in any folder of the cache are neither read nor counted."""
    memory = opened()
    cached = memory.cache(filled)
    assert all_right(cached)
    folders = [path for path in (tmp_path / "cache").rglob("*") if path.is_dir()]
    for folder in [tmp_path / "cache", *folders]:
        (folder / "mine.txt").write_text("mine")
        (folder / "my folder").mkdir()
        (folder / "dangling").symlink_to("/nowhere")
    memory = opened()
    cached = memory.cache(filled)
    assert all_right(cached)
    assert cached.stats()[:2] == (6, 0)
    assert memory.stats().records == len(memory.entries()) == memory.verify().records == 6
    memory.reduce_size(items_limit=1)
    assert memory.stats().records == 1
    memory.clear(warn=False)
    assert memory.stats().records == 0
    assert all_right(cached)
    assert (tmp_path / "cache" / "mine.txt").read_text() == "mine"
    assert (tmp_path / "cache" / "lightwork-1" / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("inner", ["", "lightwork-1"])
def test_a_file_in_the_place_of_the_folder(opened: Callable[[], Memory], tmp_path: Path, inner: str) -> None:
    """Costs one warning that names it; it stays as it is, and questions have answers."""
    path = tmp_path / "cache" / inner if inner else tmp_path / "cache"
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    memory = opened()
    cached = memory.cache(filled)
    with pytest.warns(CacheWarning, match="not kept.*Not a directory") as caught:
        assert all_right(cached)
    assert len(caught) == 1
    assert not cached.explain(1).is_hit
    assert memory.stats().records == 0
    assert memory.entries() == []
    assert path.read_text() == "mine"


def test_long_and_strange_names(opened: Callable[[], Memory]) -> None:
    """Names and arguments are in no file name."""
    name = "n" * 300
    space: dict[str, Any] = {}
    exec(f"def {name}(text): return len(text)", space)
    memory = opened()
    cached = memory.cache(space[name])
    for text in ("é" * 100_000, "\0", "\ud800", "../../x", ""):
        assert cached(text) == cached(text) == len(text)
    assert cached.stats()[:2] == (5, 5)
    assert all(len(entry.call) <= 200 for entry in memory.entries())
    assert {entry.function.endswith(name) for entry in memory.entries()} == {True}


def test_what_cannot_be_kept_leaves_nothing(opened: Callable[[], Memory], tmp_path: Path) -> None:
    """One warning names the path inside of it; ``on_error="raise"`` is for those who rather know."""
    memory = opened()

    def make(x: int) -> list[Any]:
        return [x, {"made": (n for n in "x")}]

    cached = memory.cache(make)
    with pytest.warns(CacheWarning, match=r"cannot pickle result\[1\]\['made'\]") as caught:
        assert [cached(x)[0] for x in (1, 1, 2)] == [1, 1, 2]
    assert len(caught) == 1
    assert memory.stats().records == 0
    assert not cached.check_call_in_cache(1)
    with pytest.raises(UnpicklableError, match=r"result\[1\]\['made'\]"):
        memory.cache(make, on_error="raise")(1)
    assert [*(tmp_path / "cache").rglob("tmp/*")] == []


def test_no_file_is_left_open(opened: Callable[[], Memory], tmp_path: Path) -> None:
    """A failure closes what it had opened."""
    (tmp_path / "cache").write_text("mine")
    cached = opened().cache(filled)
    before = len(os.listdir("/proc/self/fd"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CacheWarning)
        for value in range(50):
            cached(value, SIZES[value % 2])
    assert len(os.listdir("/proc/self/fd")) <= before + 1
