"""Functions of installed packages: those of an index count by their version, the user's own by their code."""

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import sklearn.cluster

from lightwork.hashing.calls import CallKeys
from lightwork.hashing.installed import Installed, installed_library

_CODE = """
__version__ = "1.2"
def helper(x):
    return x + 1
def entry(x):
    return helper(x)
"""

Install = Callable[..., ModuleType]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a package among installed ones, as pip or conda would, and import it."""
    place = tmp_path / "site-packages"
    place.mkdir()
    monkeypatch.syspath_prepend(str(place))
    names = []

    def do(name: str, origin: dict[str, Any] | None, *, by: str = "pip", code: str = _CODE) -> ModuleType:
        facts = place / f"the_{name}-1.2.dist-info"
        (place / name).mkdir()
        facts.mkdir()
        (place / name / "__init__.py").write_text(code)
        (facts / "RECORD").write_text(f"{name}/__init__.py,sha256=x,9\n{facts.name}/RECORD,,\n")
        (facts / "METADATA").write_text(f"Name: the-{name}\nVersion: 1.2\n")
        (facts / "INSTALLER").write_text(f"{by}\n")
        if origin is not None:
            (facts / "direct_url.json").write_text(json.dumps({"url": "file:///x", **origin}))
        names.append(name)
        return importlib.import_module(name)

    yield do
    for name in names:
        del sys.modules[name]


def tracked(module: ModuleType) -> str:
    return str(CallKeys(module.entry).dependencies())


_HASH = {"archive_info": {"hash": "sha256=abc"}}
_COMMIT = {"vcs_info": {"vcs": "git", "commit_id": "abc"}}
_FOLDER: dict[str, Any] = {"dir_info": {}}


@pytest.mark.parametrize(
    ("origin", "by", "version"),
    [
        (None, "pip", "1.2"),
        (_FOLDER, "conda", "1.2"),
        (_HASH, "pip", "1.2 sha256=abc"),
        (_COMMIT, "uv", "1.2 abc"),
    ],
)
def test_a_library_counts_by_its_version(
    install: Install, origin: dict[str, Any] | None, by: str, version: str
) -> None:
    """Its helpers are not read. Archives and commits count too: their version may stay."""
    module = install("lw_library", origin, by=by)
    assert installed_library("lw_library") == Installed("lw_library", version)
    assert f"lw_library {version} (an installed package)" in tracked(module)
    assert "helper" not in tracked(module)


@pytest.mark.parametrize("origin", [_FOLDER, {"archive_info": {}}, {"dir_info": {"editable": True}}])
def test_a_project_of_the_user_counts_by_its_code(install: Install, origin: dict[str, Any]) -> None:
    """``pip install .`` changes code without a new version."""
    module = install("lw_project", origin)
    assert installed_library("lw_project") is None
    assert "lw_project:helper" in tracked(module)


def test_a_new_version_is_a_new_key(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the same version the same."""
    module = install("lw_library", None)
    keys = [CallKeys(module.entry).key((1,), {})]
    keys.append(CallKeys(module.entry).key((1,), {}))
    monkeypatch.setattr(module, "__version__", "1.3")
    keys.append(CallKeys(module.entry).key((1,), {}))
    assert keys[0] == keys[1] != keys[2]


def test_a_version_that_the_module_does_not_tell(install: Install) -> None:
    """The distribution tells it."""
    install("lw_silent", None, code="def entry(x):\n    return x\n")
    assert installed_library("lw_silent") == Installed("lw_silent", "the-lw_silent 1.2")


def test_the_user_may_have_a_library_followed(install: Install) -> None:
    """``user_code`` moves the border."""
    module = install("lw_library", None)
    found = CallKeys(module.entry, user_code=("lw_library",)).dependencies()
    assert "lw_library:helper" in str(found)
    assert "installed package" not in str(found)


@pytest.mark.parametrize(
    ("function", "package"),
    [(np.negative, "numpy"), (np.linalg.svd, "numpy"), (sklearn.cluster.KMeans(3).fit, "sklearn")],
)
def test_large_libraries_are_not_read(function: Any, package: str) -> None:
    """Reading them took seconds in each process."""
    found = CallKeys(function).dependencies()
    assert len(found.tracked) <= 2
    assert any(line.startswith(f"{package} ") for line in found.tracked)


@pytest.mark.parametrize("name", ["json", "builtins", __name__, None, "lw_not_there"])
def test_what_is_no_installed_library(name: str | None) -> None:
    """The standard library, which goes with the version of Python, and the user's own files."""
    assert installed_library(name) is None
