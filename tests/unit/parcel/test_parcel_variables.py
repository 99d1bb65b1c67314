"""Context variables in pickles for workers."""

import importlib
import sys
from contextvars import ContextVar
from pathlib import Path

import pytest

from lightwork.errors import UnpicklableError
from lightwork.parcel.parcels import join, split
from lightwork.parcel.variables import Tokened, Variables

KEPT: ContextVar[int] = ContextVar("kept")


def test_a_variable_of_a_module_is_found_there() -> None:
    """The same one, in any process that can import the module."""
    variable, name = join(*split((KEPT, "a"), by_value=True))
    assert variable is KEPT
    assert name == "a"


def test_a_variable_of_no_module_is_refused() -> None:
    """By name, with what to do."""
    lost: ContextVar[int] = ContextVar("lost")
    with pytest.raises(UnpicklableError, match=r"value\[1\].*variable 'lost': keep it in a module"):
        split([1, lost], by_value=True)


def test_without_by_value_no_variable_is_pickled() -> None:
    """A file would name a module that its reader may not have meant."""
    with pytest.raises(UnpicklableError, match="ContextVar"):
        split(KEPT)


def test_a_token_stands_for_one_variable() -> None:
    """Whoever asks first makes it; its default travels, and it can travel on."""
    here, there = Variables(), Variables()
    bare: ContextVar[int] = ContextVar("bare")
    with_default: ContextVar[int] = ContextVar("with_default", default=3)
    tokened = here.tokened(with_default)
    assert tokened == Tokened(tokened.token, "with_default", (3,))
    made = there.made(tokened)
    assert made is there.made(tokened)
    assert made.get() == 3
    assert there.tokened(made) == tokened
    assert there.place(made) == ("__main__", "with_default")
    assert here.made(tokened) is with_default
    with pytest.raises(LookupError):
        there.made(here.tokened(bare)).get()


def test_a_module_that_is_loaded_again_has_other_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new ones are found, the old ones are nobody's; what is imported from a module is that module's."""
    (tmp_path / "reloaded_here.py").write_text(
        "from contextvars import ContextVar\nvar = ContextVar('var')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("reloaded_here")
    table, old = Variables(), module.var
    monkeypatch.setattr(sys.modules["__main__"], "imported", old, raising=False)
    assert table.place(old) == ("reloaded_here", "var")
    importlib.reload(module)
    assert table.place(module.var) == ("reloaded_here", "var")
    monkeypatch.undo()
    assert table.place(old) is None
    del sys.modules["reloaded_here"]
