import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightwork.errors import MissingDependency
from lightwork.system.optional import installed, loaded, require


def test_asking_whether_a_library_is_loaded_imports_nothing() -> None:
    """`loaded` looks only at what is there already."""
    assert loaded("sys") is sys
    assert loaded("no_such_library_anywhere") is None


def test_a_library_that_is_being_imported_is_not_loaded_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A half-imported module lacks its names; it counts as absent until it is ready."""
    module = types.ModuleType("half_done")
    module.__spec__ = types.SimpleNamespace(_initializing=True)  # type: ignore[assignment]  # a stand-in
    monkeypatch.setitem(sys.modules, "half_done", module)
    assert loaded("half_done") is None


def test_a_missing_library_is_named_with_the_way_to_get_it() -> None:
    """The error says what it is needed for and which extra brings it; it is an ImportError too."""
    assert installed("no_such_library_anywhere") is None
    with pytest.raises(MissingDependency, match=r"pip install 'lightwork\[bench\]'") as caught:
        require("no_such_library_anywhere", purpose="the benchmark", extra="bench")
    assert isinstance(caught.value, ImportError)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a package with two modules, of which nothing is loaded."""
    folder = tmp_path / "package_of_parts"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from lightwork.system.optional import on_first_use\n"
        "__getattr__ = on_first_use(__name__, parts=['near', 'far'], names={'answer': 'far'})\n"
    )
    (folder / "near.py").write_text("")
    (folder / "far.py").write_text("answer = 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder.name
    for name in ("", ".near", ".far"):
        sys.modules.pop(folder.name + name, None)


def test_parts_of_a_package_are_loaded_on_first_use(package: str) -> None:
    """Importing the package loads no part; asking for a name or a part loads the module it is in."""
    module = require(package, purpose="this test", extra="none")
    assert loaded(f"{package}.near") is None
    assert loaded(f"{package}.far") is None
    assert module.answer == 42
    assert loaded(f"{package}.near") is None
    assert module.near is sys.modules[f"{package}.near"]
    assert {"answer", "near", "far"} <= set(vars(module))


def test_a_package_has_no_names_but_those_it_lists(package: str) -> None:
    """Anything else is the usual error, which `hasattr` and ``from package import`` understand."""
    module = require(package, purpose="this test", extra="none")
    with pytest.raises(AttributeError, match="module 'package_of_parts' has no attribute 'other'"):
        _ = module.other


def test_first_use_is_on_import_from_too(package: str) -> None:
    """``from package import name`` finds what is loaded on first use."""
    found: dict[str, object] = {}
    exec(f"from {package} import answer, near", found)
    assert found["answer"] == 42
