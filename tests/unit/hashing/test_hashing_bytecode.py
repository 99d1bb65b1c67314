"""Bytecode: layout leaves no trace, and what cannot be read is never taken for unused."""

import ast
import importlib
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from lightwork.hashing import bytecode
from lightwork.hashing.bytecode import family, own_uses, uses
from lightwork.hashing.calls import CallKeys
from lightwork.hashing.code import encode_code
from lightwork.hashing.digests import BLAKE3
from lightwork.hashing.values import RULES
from lightwork.hashing.walk import Walk


def functions(source: str) -> Iterator[tuple[str, CodeType]]:
    """Each function and class of a module, with its name."""
    for code in list(family(compile(source, "module.py", "exec")))[1:]:
        yield code.co_qualname, code


def encoding(code: CodeType) -> bytes:
    return encode_code(Walk(BLAKE3, RULES), code)


def changed(one: str, two: str) -> list[str]:
    pairs = list(zip(functions(one), functions(two), strict=True))
    assert len(pairs) > 20
    return [name for (name, first), (_, second) in pairs if encoding(first) != encoding(second)]


MODULES = ["argparse", "contextlib", "dataclasses", "inspect"]


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_the_layout_of_real_modules_leaves_no_trace(name: str) -> None:
    """Comments stripped and every statement on lines of its own, and all lines moved.

    Python 3.11 and 3.12 lay out a few conditions by their lines; such a function, and what holds it, is
    computed once more.
    """
    source = Path(str(importlib.import_module(name).__file__)).read_text()
    tree = ast.parse(source)
    unparsed = changed(source, ast.unparse(tree))
    assert len(unparsed) <= (0 if sys.version_info >= (3, 13) else len(list(functions(source))) * 0.08)
    assert changed(source, "# comment\n\n\n" + source) == []
    assert (
        changed(source, "from __future__ import generator_stop\n" + "\n" * 300 + ast.unparse(tree))
        == unparsed
    )


def test_docstrings_of_classes_inside_functions_do_not_count() -> None:
    """Neither do their line numbers, which Python 3.13 keeps in the class."""
    plain = "def f():\n    class A:\n        def m(self):\n            self.x = 1\n    return A"
    moved = plain.replace("class A:", '"doc"\n\n    class A:\n        "doc"\n')
    assert [encoding(code) for _, code in functions(plain)] == [
        encoding(code) for _, code in functions(moved)
    ]


def test_jumps_and_handlers_count() -> None:
    """Code that differs in nothing but where it goes is other code."""
    sources = [
        "def f(a, b):\n    try:\n        a()\n        b()\n    except E:\n        pass",
        "def f(a, b):\n    try:\n        a()\n    except E:\n        pass\n    b()",
        "def f(a, b):\n    a()\n    try:\n        b()\n    except E:\n        pass",
        "def f(a, b):\n    while a:\n        if b: break\n        a()",
        "def f(a, b):\n    while a:\n        if b: continue\n        a()",
        "def f(a, b):\n    while a:\n        if not b: break\n        a()",
    ]
    assert len({encoding(code) for source in sources for _, code in functions(source)}) == len(sources)


SOURCE = """
import sys
import json as helpers
LIMIT = 1
def helper(): return LIMIT
def f(x):
    a = b = x
    return helper(), helpers.dumps(a), b
def count():
    global LIMIT
    LIMIT += 1
    return LIMIT
"""


@pytest.fixture
def unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a Python whose bytecode nobody has looked at."""
    monkeypatch.setattr(bytecode, "IS_KNOWN", False)


def job(source: str) -> dict[str, Any]:
    space: dict[str, Any] = {"__name__": "job"}
    exec(source, space)
    return space


def test_bytecode_that_is_not_known_hides_no_name(unknown: None) -> None:
    """Every name counts as read, of modules too; what the function does itself counts as well."""
    first = CallKeys(job(SOURCE)["f"]).key((1,), {})
    assert CallKeys(job(SOURCE)["f"]).key((1,), {}) == first
    for old, new in [
        ("LIMIT = 1", "LIMIT = 2"),
        ("return LIMIT", "return LIMIT + 1"),
        ("a = b", "b = a"),
        ("dumps", "loads"),
    ]:
        assert CallKeys(job(SOURCE.replace(old, new))["f"]).key((1,), {}) != first, new


def test_bytecode_that_is_not_known_counts_what_the_code_writes(unknown: None) -> None:
    """So a function that counts in a global is computed each time; it is never given an old result."""
    space = job(SOURCE)
    keys = CallKeys(space["count"])
    first = keys.key((), {})
    space["count"]()
    assert keys.key((), {}) != first


def test_modules_and_imports_of_bytecode_that_is_not_known(
    unknown: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attributes of the user's modules are followed, whether named at the top or imported inside."""
    (tmp_path / "unknown_helpers.py").write_text("def g(): return 1\n")
    (tmp_path / "unknown_late.py").write_text("def h(): return 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    source = "import unknown_helpers as m\ndef f():\n    from unknown_late import h\n    return m.g() + h()"
    try:
        space = job(source)
        first = CallKeys(space["f"]).key((), {})
        (tmp_path / "unknown_late.py").write_text("def h(): return 2\n")
        second = CallKeys(space["f"]).key((), {})
        monkeypatch.setattr(space["m"], "g", lambda: 3)
        assert len({first, second, CallKeys(space["f"]).key((), {})}) == 3
    finally:
        sys.modules.pop("unknown_helpers", None)


def test_methods_reached_through_super_are_seen() -> None:
    """With the name of the method, not another one that shares its number."""
    space: dict[str, Any] = {}
    exec("class A:\n    def m(self):\n        helper(other, super().reset())", space)
    assert "reset" in uses(space["A"].m.__code__).attributes
    own = own_uses(space["A"].m.__code__)
    assert "reset" in own.others | own.reads


def test_assignments_to_slices_are_writes() -> None:
    """``X[:] = ...`` changes X in every Python, whatever instruction that is."""
    source = """
        def f(a, b):
            PLAIN[0:1] = a
            holder.part[a:b] = 1
            MORE[1:] += b
            NESTED["key"][:] = a
            a[1:2] = 3
            return READ[1:2]
        """
    written = bytecode.uses(job(textwrap.dedent(source))["f"].__code__).written
    assert written == {("PLAIN",), ("holder", "part"), ("MORE",), ("NESTED",)}
