"""Fingerprints: a change of what the function does changes its keys, anything else does not."""

import functools
import importlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lightwork.hashing.calls import CallKeys
from lightwork.hashing.names import source_name

PACKAGE = {
    "helpers.py": """
        import enum
        import numpy as np

        LIMIT = 3
        TABLE = {"a": {"b": [1, 2]}}
        UNUSED = 5
        COUNT = 0
        SEEN = {}
        LOG = []

        class Colour(enum.Enum):
            RED = 1

        class Base:
            scale = 2
            def area(self):
                return self.scale
            @property
            def half(self):
                return 1
            @staticmethod
            def third():
                return inner()

        class Shape(Base):
            def name(self):
                return "shape"

        def inner():
            return 1

        def decorate(function):
            def wrapper(*args):
                return function(*args) + OFFSET
            return wrapper

        OFFSET = 0

        def work(x):
            return x + LIMIT + inner()

        def untouched(x):
            return UNUSED

        def recursive(n):
            return recursive(n - 1) if n else other(n)

        def other(n):
            return recursive(n) if n else inner()
        """,
    "main.py": """
        from . import helpers
        from .helpers import Shape, work, decorate, recursive
        import math

        HANDLERS = {"a": lambda x: x, "b": recursive}

        def direct(x):
            return work(x)

        def through_module(x):
            return helpers.work(x) + math.pi

        def with_class(x):
            return Shape().area()

        def with_table(x):
            return helpers.TABLE["a"]["b"][0]

        def with_handlers(x):
            return HANDLERS["a"](x)

        def with_enum(x):
            return helpers.Colour.RED.value

        def counting(x):
            helpers.COUNT += 1
            global CALLS
            CALLS += 1
            return x + CALLS

        CALLS = 0
        CACHE = {}

        def remembering(x):
            CACHE[x] = 1
            helpers.SEEN[x] = CACHE
            helpers.LOG.append(x)
            return CACHE

        def inside(x):
            def g():
                return [work(y) for y in range(x)]
            return g()

        def importing(x):
            from . import late
            return late.f(x)

        @decorate
        def decorated(x):
            return recursive(x)
        """,
    "late.py": "def f(x):\n    return 1\n",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package on disk that can be imported, edited and imported again."""
    folder = tmp_path / "tracked_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    for name, text in PACKAGE.items():
        (folder / name).write_text(textwrap.dedent(text))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield folder
    forget()


def forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "tracked_package"]:
        del sys.modules[name]


def load(module: str = "main") -> ModuleType:
    """The package as it is on disk now."""
    forget()
    importlib.invalidate_caches()
    return importlib.import_module(f"tracked_package.{module}")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def key(function: Any, **options: Any) -> bytes:
    return CallKeys(function, **options).key((1,), {})


EDITS = {
    "body of a helper": (
        "return x + LIMIT + inner()",
        "return x - LIMIT + inner()",
        "direct through_module inside",
    ),
    "constant of a helper": ("LIMIT = 3", "LIMIT = 4", "direct through_module inside"),
    "helper of a helper": (
        "def inner():\n    return 1",
        "def inner():\n    return 2",
        "direct through_module inside with_class decorated with_handlers",
    ),
    "class method": ("return self.scale", "return self.scale + 1", "with_class"),
    "class attribute": ("scale = 2", "scale = 3", "with_class"),
    "property": ("def half(self):\n        return 1", "def half(self):\n        return 2", "with_class"),
    "overridden method": ('return "shape"', 'return "form"', "with_class"),
    "value in a table": ("[1, 2]", "[1, 3]", "with_table"),
    "member of an enumeration": ("RED = 1", "RED = 2", "with_enum"),
    "what a decorator adds": ("OFFSET = 0", "OFFSET = 1", "decorated"),
    "body of a decorator": ("+ OFFSET", "- OFFSET", "decorated"),
    "default of a helper": ("def work(x):", "def work(x, y=1):", "direct through_module inside"),
    "function that nobody uses": ("return UNUSED", "return UNUSED + 1", ""),
    "comment, docstring and annotation": ("def work(x):", 'def work(x: int) -> int:  # c\n    "doc"', ""),
    "line move": ("LIMIT = 3", "\n\n\nLIMIT = 3", ""),
}
FUNCTIONS = [
    "direct",
    "through_module",
    "with_class",
    "with_table",
    "with_handlers",
    "with_enum",
    "counting",
    "remembering",
    "inside",
    "importing",
    "decorated",
]


@pytest.mark.parametrize("what", EDITS)
def test_an_edit_reaches_exactly_the_functions_that_use_it(package: Path, what: str) -> None:
    """Functions, constants, classes and tables are followed through names and modules; the rest is not."""
    old, new, expected = EDITS[what]
    main = load()
    before = {name: key(getattr(main, name)) for name in FUNCTIONS}
    edit(package / "helpers.py", old, new)
    main = load()
    changed = [name for name in FUNCTIONS if key(getattr(main, name)) != before[name]]
    assert changed == [name for name in FUNCTIONS if name in expected.split()]


def test_what_the_code_writes_to_is_not_tracked(package: Path) -> None:
    """A counter or a cache in a global must not give every call a new key."""
    main = load()
    for name in ("counting", "remembering"):
        function = getattr(main, name)
        keys = CallKeys(function)
        first = keys.key((1,), {})
        function(1)
        function(2)
        assert keys.key((1,), {}) == first, name


def test_a_module_imported_inside_counts_by_its_source(package: Path) -> None:
    """Loaded or not, before or after the first call: the key is the same."""
    function = load().importing
    before = key(function)
    function(1)
    assert key(function) == before
    edit(package / "late.py", "return 1", "return 2")
    assert key(load().importing) != before


def test_the_sweep_sees_changes_at_run_time(package: Path) -> None:
    """Monkeypatched names, classes, code objects, cells and tables change the next key, and back."""
    main, helpers = load(), sys.modules["tracked_package.helpers"]

    def check(function: Any, holder: Any, name: str, value: Any) -> None:
        keys = CallKeys(function)
        first = keys.key((1,), {})
        old = getattr(holder, name)
        setattr(holder, name, value)
        assert keys.key((1,), {}) != first
        setattr(holder, name, old)
        assert keys.key((1,), {}) == first

    check(main.through_module, helpers, "work", lambda x: 0)
    check(main.direct, main, "work", len)
    check(main.direct, helpers, "LIMIT", 3.0)
    check(main.with_class, helpers.Base, "area", lambda self: 0)
    check(main.direct, helpers.inner, "__code__", (lambda: 7).__code__)
    keys = CallKeys(main.with_table)
    first = keys.key((1,), {})
    helpers.TABLE["a"]["b"].append(3)
    assert keys.key((1,), {}) != first


def test_self_and_none_look_at_less(package: Path) -> None:
    """``track="self"`` sees the function alone, ``track="none"`` not even that."""
    main = load()
    alone, none = key(main.direct, track="self"), key(main.direct, track="none")
    edit(package / "helpers.py", "LIMIT = 3", "LIMIT = 4")
    assert key(load().direct, track="self") == alone
    edit(package / "main.py", "return work(x)", "return work(x) + 1")
    assert key(load().direct, track="self") != alone
    assert key(load().direct, track="none") == none


def test_code_that_comes_with_arguments_is_followed(package: Path) -> None:
    """A callback or an instance brings the code of its function or class into the key."""
    main, helpers = load(), sys.modules["tracked_package.helpers"]

    def apply(thing: Any) -> Any:
        return thing

    keys = CallKeys(apply)
    for thing, holder, name, value in [
        (helpers.work, helpers, "LIMIT", 9),
        ([{"m": helpers.Shape()}], helpers.Base, "scale", 9),
        (helpers.Shape, helpers.Shape, "name", lambda self: 0),
        (main.decorated, helpers, "OFFSET", 9),
    ]:
        first = keys.key((thing,), {})
        old = getattr(holder, name)
        setattr(holder, name, value)
        assert keys.key((thing,), {}) != first
        assert CallKeys(apply, track="self").key((1,), {}) == CallKeys(apply, track="self").key((1,), {})
        setattr(holder, name, old)
        assert keys.key((thing,), {}) == first


def test_libraries_are_not_followed() -> None:
    """What is installed is named, not entered; what is the user's is listed with its place."""
    import json

    def dump(x: Any) -> str:
        return json.dumps(functools.reduce(max, x))

    tracked, _ = _dependencies(dump)
    assert len(tracked) == 1
    assert f"{Path(__file__)}:" in tracked[0]


def _dependencies(function: Any) -> tuple[list[str], list[str]]:
    keys = CallKeys(function)
    return keys.dependencies()


def make(value: Any) -> Any:
    return lambda x: x + value


def wrap(function: Any) -> Any:
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


def one(x: Any) -> Any:
    return 1


def two(x: Any) -> Any:
    return 2


def test_closures_do_not_share_results() -> None:
    """Two functions from one factory are told apart by what they captured, also when it changes in place."""
    assert key(make(1)) == key(make(1)) != key(make(100))
    held = [1]
    keys = CallKeys(make(held))
    first = keys.key((1,), {})
    held.append(2)
    assert keys.key((1,), {}) != first


def test_wrappers_without_wraps_do_not_share_results() -> None:
    """Asked a, b, a, b, two wrappers of one name give two keys."""
    assert key(wrap(one)) == key(wrap(one)) != key(wrap(two))
    assert key(wrap(one), track="self") != key(wrap(two), track="self")


def test_wrapped_functions_are_followed() -> None:
    """Through ``functools.lru_cache`` and ``functools.singledispatch``."""

    def user(inner: Any) -> Any:
        return lambda x: inner(x)

    assert key(user(functools.lru_cache(one))) != key(user(functools.lru_cache(two)))
    assert key(functools.lru_cache(one)) != key(functools.lru_cache(two))
    dispatching = functools.singledispatch(one)
    first = key(dispatching)
    assert key(functools.singledispatch(one)) == first != key(functools.singledispatch(two))
    dispatching.register(int, two)
    assert key(dispatching) != first


SCRIPT = """
import sys
sys.path.insert(0, {src!r})
from lightwork.hashing.calls import CallKeys
LIMIT = {"c", "a", "b"}
class Thing:
    def __init__(self): self.x = frozenset("abc")
def helper(x): return x in {"a", "b", "c", "d"} or x in LIMIT
def f(x, t=Thing()): return helper(x)
print(CallKeys(f).function_id, CallKeys(f).key(({"x", "y", "z"},), {}).hex())
"""


@pytest.mark.slow
def test_scripts_have_the_same_keys_in_every_process(tmp_path: Path) -> None:
    """Whatever ``PYTHONHASHSEED``; functions of ``__main__`` are named after their file."""
    script = tmp_path / "job.py"
    script.write_text(SCRIPT.replace("{src!r}", repr(str(Path(__file__).parents[3] / "src"))))
    outputs = {
        subprocess.run(
            [sys.executable, str(script)],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in range(4)
    }
    assert len(outputs) == 1
    assert outputs.pop().startswith(f"__main__ {script}:f ")


def test_notebook_files_lose_what_changes_with_the_kernel() -> None:
    """Process numbers, counters, and digests of the whole input, which change with a comment in it."""
    for same in (
        ["/tmp/ipykernel_123/456.py", "/tmp/ipykernel_9/8.py"],
        ["<ipython-input-7-abc>", "<ipython-input-9-x>"],
        ["<stdin>", "<stdin>-7", "<python-input-7>"],
        ["<doctest job.f[0]>", "<doctest job.f[12]>"],
    ):
        assert len(set(map(source_name, same))) == 1
    assert source_name("<doctest a[0]>") != source_name("<doctest b[0]>")
    assert source_name("/home/a.py") == "/home/a.py"


def test_functions_that_join_a_table_are_followed(package: Path) -> None:
    """A handler that was added at run time brings the code behind it."""
    main = load()
    helpers: Any = sys.modules["tracked_package.helpers"]
    keys = CallKeys(main.with_handlers)
    first = keys.key((1,), {})
    main.HANDLERS["new"] = helpers.work
    second = keys.key((1,), {})
    helpers.LIMIT = 99
    assert len({first, second, keys.key((1,), {})}) == 3
    helpers.LIMIT = 3
    assert keys.key((1,), {}) == second


class Proxy:
    """Fails whatever it is asked, like a request outside of a request."""

    def __init__(self) -> None:
        self.target = None

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(f"no target: {name}")


PROXY = Proxy()


def uses_proxy(x: Any) -> Any:
    return PROXY.user


def test_proxies_are_not_asked() -> None:
    """A global that only works at the right moment does not keep a function from being called."""
    keys = CallKeys(uses_proxy)
    assert keys.key((1,), {}) == CallKeys(uses_proxy).key((1,), {})
    assert any("PROXY" in line for line in keys.dependencies()[1])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Point(1, 2)", "Point(1, 3)"),
        ("OrderedDict(a=1)", "OrderedDict(a=2)"),
        ("Counter(a=1)", "Counter(a=2)"),
        ("defaultdict(int, a=1)", "defaultdict(int, a=2)"),
        ("defaultdict(int)", "defaultdict(float)"),
        ("deque([1, 2])", "deque([1, 3])"),
        ("MappingProxyType({1: 2})", "MappingProxyType({1: 3})"),
        ("bytearray(b'a')", "bytearray(b'b')"),
        ("[Point(1, 2)]", "[Point(1, 3)]"),
    ],
)
def test_containers_of_the_standard_library_are_tracked(before: str, after: str) -> None:
    """A global that is a named tuple, a counter and so on counts by its content, as a list does."""
    space: dict[str, Any] = {"__name__": "job"}
    exec(
        "from collections import *\nfrom types import MappingProxyType\nPoint = namedtuple('Point', 'x y')\n"
        f"HELD = {before}\ndef f(x): return HELD",
        space,
    )
    keys = CallKeys(space["f"])
    first = keys.key((1,), {})
    exec(f"HELD = {after}", space)
    assert keys.key((1,), {}) != first
    exec(f"HELD = {before}", space)
    assert keys.key((1,), {}) == first


def test_the_methods_of_a_named_tuple_are_followed() -> None:
    """Its class is code like any other."""
    space: dict[str, Any] = {"__name__": "job"}
    exec(
        "from typing import NamedTuple\nclass Point(NamedTuple):\n    x: int = 1\n"
        "    def double(self): return 2 * self.x\nHELD = Point()\ndef f(): return HELD.double()",
        space,
    )
    keys = CallKeys(space["f"])
    first = keys.key((), {})
    space["Point"].double = lambda self: 3 * self.x
    assert keys.key((), {}) != first


def test_a_script_has_one_name_however_it_was_started(tmp_path: Path) -> None:
    """``python ./job.py``, ``python job.py`` and a link to its folder share their results."""
    assert source_name("/a/./b/../job.py") == source_name("/a/job.py")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert source_name(f"{tmp_path}/link/job.py") == source_name(f"{tmp_path}/real/job.py")
