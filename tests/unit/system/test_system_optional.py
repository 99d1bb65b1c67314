import sys
import types

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
