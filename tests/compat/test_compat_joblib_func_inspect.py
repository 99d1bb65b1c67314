"""Names, sources and arguments of functions, against the installed joblib."""

import functools
import itertools
import linecache
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib.func_inspect
import numpy as np
import pytest

from lightwork.compat.joblib import func_inspect

# Any: joblib has no types; functions and arguments are anything.


def plain(x: Any, y: int = 0) -> None: ...


def stars(x: Any, y: int = 0, *args: Any, **kwargs: Any) -> None: ...


def only_stars(*args: Any, **kwargs: Any) -> None: ...


def keywords(x: Any, *, y: Any, z: int = 3) -> None: ...


def mixed(a: Any, b: int = 1, *args: Any, c: int = 2, d: Any, **more: Any) -> None: ...


class Owner:
    def __call__(self, x: Any) -> None: ...

    def method(self, a: Any, b: int = 2) -> None: ...

    @classmethod
    def of_class(cls, a: Any) -> None: ...

    @staticmethod
    def static(a: Any) -> None: ...

    def __repr__(self) -> str:
        return "Owner()"


def outer() -> Callable[..., Any]:
    def inner(a: Any, b: Any) -> None: ...

    return inner


@functools.wraps(plain)
def wrapped(*args: Any) -> None: ...


def from_nowhere() -> Any:
    """A function without a source, with another one in it."""
    namespace: dict[str, Any] = {}
    text = "def made(a, b=(1, 'x')):\n    def f(): return a\n    return f, {1: 2}, len(b)"
    exec(compile(text, "nowhere.py", "exec"), namespace)
    return namespace["made"]


OWNER = Owner()
FUNCTIONS: list[Any] = [
    *(plain, stars, only_stars, keywords, mixed, wrapped, outer(), lambda a: a, from_nowhere()),
    *(OWNER, OWNER.method, OWNER.of_class, OWNER.static, Owner.method, Owner),
    *(functools.partial(plain, 1), len, np.square, np.linalg.norm, re.compile),
]
POSITIONAL: list[tuple[Any, ...]] = [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)]
NAMED: list[dict[str, Any]] = [
    *({}, {"y": 5}, {"x": 1}, {"z": 1, "y": 2}, {"d": 1}, {"b": 3, "a": 1}, {"c": 1, "d": 0, "aa": 2}),
]
IGNORED: list[Any] = [[], ["x"], ["y", "*"], ["**"], ["self"], ["absent"], "x"]


def outcome(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What a call returns, in its order, or the kind and the subject of its error, and its warnings."""
    result: Any
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            result = function(*args, **kwargs)
            if isinstance(result, dict):
                result = list(result.items())
        except ValueError as exc:
            result = "ValueError", str(exc).partition(":\n")[0]
    return result, [(each.category, str(each.message)) for each in warned]


@pytest.mark.parametrize("func", FUNCTIONS, ids=str)
def test_arguments_are_those_of_joblib(func: Any) -> None:
    """The same names, values and order, or the same error, however a function is called."""
    for args, kwargs, ignored in itertools.product(POSITIONAL, NAMED, IGNORED):
        expected = outcome(joblib.func_inspect.filter_args, func, ignored, args, kwargs)
        assert outcome(func_inspect.filter_args, func, ignored, args, kwargs) == expected, (args, kwargs)


@pytest.mark.parametrize("func", FUNCTIONS, ids=str)
def test_names_and_sources_are_those_of_joblib(func: Any) -> None:
    """They name the folders and decide whether results are valid."""
    assert func_inspect.get_func_name(func) == joblib.func_inspect.get_func_name(func)
    assert func_inspect.get_func_code(func) == joblib.func_inspect.get_func_code(func)


@pytest.mark.parametrize(
    "args",
    [(1, "a"), ([0] * 1000, 2), ("x" * 3000, 1), ("a" * 100, "b" * 100, 3), (np.arange(1000), {1: [2, [3]]})],
    ids=lambda value: str(value)[:20],
)
@pytest.mark.parametrize("kwargs", [{}, {"y": "q" * 90, "z": 2}])
def test_calls_are_written_as_joblib_writes_them(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Also long ones."""
    for func in (plain, OWNER.method, np.square):
        expected = joblib.func_inspect.format_signature(func, *args, **kwargs)
        assert func_inspect.format_signature(func, *args, **kwargs) == expected
        text = joblib.func_inspect.format_call(func, args, kwargs, object_name="This")
        assert func_inspect.format_call(func, args, kwargs, object_name="This") == text


@pytest.mark.parametrize(
    "file",
    [
        *("/tmp/ipykernel_123/456.py", "/tmp/ipykernel_123/inner/456.py", "<ipython-input-3-abcdef>"),
        *("<stdin>", "relative.py", "/a.b/c.py", "/a/b.pyx", "<doctest page.rst[3]>"),
    ],
)
def test_functions_of_consoles_are_named_as_by_joblib(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that results outlive the kernel that made them."""
    text = "def typed(a):\n    return a\n"
    monkeypatch.setitem(linecache.cache, file, (len(text), None, text.splitlines(True), file))
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(text, file, "exec"), namespace)
    func = namespace["typed"]
    assert func_inspect.get_func_name(func) == joblib.func_inspect.get_func_name(func)
    assert func_inspect.get_func_code(func) == joblib.func_inspect.get_func_code(func)


@pytest.mark.parametrize(
    "content", [b"# cut short\n", b"\x00\xff\xfe" * 10, "# coding: latin-1\n# é".encode("latin-1")]
)
def test_a_file_that_has_changed_is_read_as_by_joblib(tmp_path: Path, content: bytes) -> None:
    """A file that holds something else by now is no error."""
    path = tmp_path / "changed.py"
    path.write_bytes(content)
    namespace: dict[str, Any] = {}
    exec(compile("\ndef gone(a):\n    return a\n", str(path), "exec"), namespace)
    expected = joblib.func_inspect.get_func_code(namespace["gone"])
    assert func_inspect.get_func_code(namespace["gone"]) == expected


def test_arguments_that_are_given_are_not_changed() -> None:
    """The dictionary of the caller stays what it is."""
    kwargs = {"x": 1, "other": 2}
    func_inspect.filter_args(stars, [], (), kwargs)
    assert kwargs == {"x": 1, "other": 2}
