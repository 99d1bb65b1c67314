"""`renames`: what has moved since a file was written."""

import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightwork import dump, dumps, load, loads
from lightwork import open as open_file
from lightwork.errors import InvalidOption, UnsafeFileError
from lightwork.persistence.renames import renaming


class Model:
    """Was in another module when the file was written."""

    class Part:
        """A class inside a class."""


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """A value of classes that are in ``old.models`` while it is dumped."""
    old, models = types.ModuleType("old"), types.ModuleType("old.models")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "old", old)
        patch.setitem(sys.modules, "old.models", models)
        patch.setattr(models, "Model", Model, raising=False)
        patch.setattr(Model, "__module__", "old.models")
        patch.setattr(Model.Part, "__module__", "old.models")
        yield [Model(), Model.Part(), np.arange(3), np.array([Model()], object)]


@pytest.mark.parametrize("file_format", ["lightwork", "joblib"])
@pytest.mark.parametrize("mode", [None, "r"])
@pytest.mark.parametrize(
    "renames",
    [
        {"old.models": __name__},
        {"old.models.Model": f"{__name__}.Model", "old.models.Model.Part": f"{__name__}.Model.Part"},
        {"old": "nowhere", "old.models": __name__},
    ],
)
def test_classes_are_found_where_they_are_now(
    file_format: Any,
    mode: Any,
    renames: dict[str, str],
    moved: list[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In our files and in joblib's, mapped and not, by module or one by one."""
    dump(moved, tmp_path / "x", format=file_format)
    monkeypatch.delitem(sys.modules, "old.models")
    monkeypatch.delitem(sys.modules, "old")
    with pytest.raises(ModuleNotFoundError, match="old") as caught:
        load(tmp_path / "x", mmap_mode=mode)
    assert "renames=" in caught.value.__notes__[-1]
    model, part, array, objects = load(tmp_path / "x", mmap_mode=mode, renames=renames)
    assert (type(model), type(part)) == (Model, Model.Part)
    assert array.tolist() == [0, 1, 2]
    assert type(objects[0]) is Model


@pytest.mark.parametrize(
    ("module", "name", "found"),
    [
        ("a", "X", ("b", "X")),
        ("a.c", "X", ("b.c", "X")),
        ("a.d.e", "X", ("f.e", "X")),
        ("ab", "X", ("ab", "X")),
        ("a.g", "Y", ("h", "Z")),
        ("a.g", "Y.In", ("b.g", "Y.In")),
        ("a.g", "V.In", ("h.i", "W.Out")),
        ("a.g", "U", ("a.g", "T")),
    ],
)
def test_the_closest_name_counts(module: str, name: str, found: tuple[str, str]) -> None:
    """A class before its module, a long module name before a shorter one."""
    renames = {"a": "b", "a.d": "f", "a.g.Y": "h.Z", "a.g.V.In": "h.i.W.Out", "a.g.U": "T"}
    rename = renaming(renames)
    assert rename is not None
    assert rename(module, name) == found


def test_what_is_no_renaming_is_refused() -> None:
    """Before the file is opened."""
    for wrong in ("a=b", ["a"], {"a": 1}, {"a": "b c"}, {"": "b"}):
        with pytest.raises(InvalidOption, match="renames="):
            load("missing", renames=wrong)  # type: ignore[arg-type]  # that is the point
    assert loads(dumps([1]), renames={}) == [1]


def test_an_opened_file_looks_under_the_new_names(
    moved: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts are loaded as `load` loads them."""
    dump({"all": moved}, tmp_path / "x")
    monkeypatch.delitem(sys.modules, "old.models")
    monkeypatch.delitem(sys.modules, "old")
    with open_file(tmp_path / "x", renames={"old.models": __name__}) as file:
        assert type(file.load()["all"][0]) is Model
    with pytest.raises(InvalidOption, match="renames="):
        open_file("missing", renames=["a"])  # type: ignore[arg-type]  # that is the point


def test_a_guard_looks_at_the_new_names(moved: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under `safe` it is those that must be trusted, and that the refusal names."""
    data = dumps(moved)
    monkeypatch.delitem(sys.modules, "old.models")
    monkeypatch.delitem(sys.modules, "old")
    renames = {"old.models": __name__}
    trusted = [__name__, "old"]  # the classes here say that they are of the old module
    model, part, *_ = loads(data, safe=True, trusted=trusted, renames=renames)
    assert (type(model), type(part)) == (Model, Model.Part)
    with pytest.raises(UnsafeFileError, match=f"does not build {__name__}.Model"):
        loads(data, safe=True, trusted=["old"], renames=renames)
    with pytest.raises(UnsafeFileError, match=r"os\.system"):
        loads(data, safe=True, trusted=["old"], renames={"old.models.Model": "os.system"})
