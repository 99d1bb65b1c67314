"""What a survey must not overlook: code that is reached in other ways than by a name in the function."""

import importlib
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lightwork.hashing.calls import CallKeys

# Any: functions of every signature.


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ModuleType]]:
    """Writes modules of a package ``surveyed`` and imports its ``main``, as a new process would."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    folder = tmp_path / "surveyed"
    folder.mkdir()
    (folder / "__init__.py").touch()

    def forget() -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == "surveyed"]:
            del sys.modules[name]

    def write(**texts: str) -> ModuleType:
        for name, text in texts.items():
            (folder / f"{name}.py").write_text(textwrap.dedent(text))
        forget()
        importlib.invalidate_caches()
        return importlib.import_module("surveyed.main")

    yield write
    forget()


def key(function: Any, *args: Any, **options: Any) -> bytes:
    return CallKeys(function, **options).key(args, {})


HOLDERS = {
    "a dict": "HELD = {'h': helpers}\ndef f(): return HELD['h'].work()",
    "a list of lists": "HELD = [[helpers]]\ndef f(): return HELD[0][0].work()",
    "an attribute of a class": "class Held:\n    h = helpers\ndef f(): return Held.h.work()",
    "a namespace": "import types\nHELD = types.SimpleNamespace(h=helpers)\ndef f(): return HELD.h.work()",
    "an object": "import threading\nclass Held:\n    def __init__(self): self.h, self.lock = helpers, "
    "threading.Lock()\nHELD = Held()\ndef f(): return HELD.h.work()",
    "a closure": "def make(h):\n    def f(): return h.work()\n    return f\nf = make(helpers)",
    "what another function reads": "HELD = [helpers]\ndef g(h): return h.work()\ndef f(): return g(HELD[0])",
}


@pytest.mark.parametrize("how", HOLDERS)
def test_a_module_that_is_held_as_a_value_is_followed(write: Callable[..., ModuleType], how: str) -> None:
    """Code of the user's modules counts however the function gets hold of the module; a comment does not."""
    main = f"from . import helpers\n{HOLDERS[how]}\n"
    text = "def work(): return {}\ndef other(): return {}\n"
    first = key(write(helpers=text.format(1, 1), main=main).f)
    assert key(write(helpers=text.format(1, 2) + "# comment").f) == first
    assert key(write(helpers=text.format(2, 1)).f) != first


def test_a_module_that_is_an_argument_is_followed(write: Callable[..., ModuleType]) -> None:
    """A module of settings can be passed, or be a default; one of a library is its name."""
    main = "from . import helpers\ndef f(module=helpers): return module.LIMIT\n"
    before = write(helpers="LIMIT = 1\n", main=main)
    first = key(before.f, before.helpers)
    assert key(before.f) == first
    after = write(helpers="LIMIT = 2\n")
    assert key(after.f, after.helpers) != first
    assert key(after.f) != first
    assert key(after.f, textwrap) == key(after.f, textwrap)


def test_names_that_a_module_makes_on_first_use_are_followed(write: Callable[..., ModuleType]) -> None:
    """A package that imports its parts lazily (PEP 562) hides none of their code."""
    lazy = """
        from importlib import import_module
        def __getattr__(name):
            if name != "work":
                raise AttributeError(name)
            return import_module("surveyed.helpers").work
        """
    main = "from . import lazy\ndef f(): return lazy.work()\ndef g(): return lazy.nothing\n"
    text = "def work(): return {}\n"
    before = write(lazy=lazy, helpers=text.format(1), main=main)
    first, missing = key(before.f), key(before.g)
    before.f()
    assert key(before.f) == first
    after = write(helpers=text.format(2))
    assert key(after.f) != first
    assert key(after.g) == missing


METHOD = """
import functools
def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs): return function(*args, **kwargs)
    return wrapper
class Job:
    def __init__(self, n=0): self.n = n
    def help(self): return {}
    def run(self, x): return self.help() + x
    @logged
    def decorated(self, x): return self.help()
    @classmethod
    def make(cls, x): return cls().help()
class Other(Job):
    def help(self): return 3
"""


@pytest.mark.parametrize("options", [{"ignore": ["self"]}, {"key": lambda self, x: x}])
def test_the_class_of_an_ignored_object_is_followed(
    write: Callable[..., ModuleType], options: dict[str, Any]
) -> None:
    """What an object holds is left out, what its methods do is not."""
    main = write(main=METHOD.format(1))
    first = key(main.Job.run, main.Job(), 1, **options)
    assert key(main.Job.run, main.Job(5), 1, **options) == first
    assert key(main.Job.run, main.Other(), 1, **options) != first
    decorated = key(main.Job.decorated, main.Job(), 1, **options)
    made = key(main.Job.make.__func__, main.Job, 1, ignore=["cls"])
    main = write(main=METHOD.format(2))
    assert key(main.Job.run, main.Job(), 1, **options) != first
    assert key(main.Job.decorated, main.Job(), 1, **options) != decorated
    assert key(main.Job.make.__func__, main.Job, 1, ignore=["cls"]) != made
    bound = main.Job().run
    assert key(bound, 1, ignore=["self"]) == key(main.Job.run, main.Job(), 1, ignore=["self"])


def test_what_begins_to_hide_another_name_is_seen(write: Callable[..., ModuleType]) -> None:
    """A method put into a subclass, a global that shadows a builtin, an attribute of a function."""
    main = write(
        main="""
        class Base:
            def m(self): return 1
        class Sub(Base): pass
        def method(): return Sub().m()
        def builtin(): return max([1, 2])
        def work(): return 1
        def attribute(): return getattr(work, "rate", 0)
        """
    )
    for function, holder, name in (
        (main.method, main.Sub, "m"),
        (main.builtin, main, "max"),
        (main.attribute, main.work, "rate"),
    ):
        keys = CallKeys(function)
        first = keys.key((), {})
        setattr(holder, name, min)
        assert keys.key((), {}) != first, name
        delattr(holder, name)
        assert keys.key((), {}) == first, name


MODEL = """
import pydantic
from typing import Annotated
class Inner(pydantic.BaseModel):
    x: {inner}
def check(value): return value {check}
class Model(pydantic.BaseModel):
    a: {kind} = 1
    b: int = pydantic.Field({default}, ge={least})
    c: list[Inner] = []
    d: Annotated[int, pydantic.AfterValidator(check)] = 1
    _e: int = pydantic.PrivateAttr(default={private})
    @pydantic.field_validator("a", mode="{mode}")
    def clean(cls, value): return value
def f(): return Model()
"""
PLAIN = {
    "inner": "int",
    "check": "+ 1",
    "kind": "int",
    "default": "3",
    "least": "0",
    "private": "1",
    "mode": "after",
}
CHANGED = {
    "inner": "str",
    "check": "+ 2",
    "kind": "float",
    "default": "4",
    "least": "1",
    "private": "2",
    "mode": "before",
}


@pytest.mark.slow
def test_models_of_pydantic_count_by_what_was_written(write: Callable[..., ModuleType]) -> None:
    """A class of models has one key in each process and before and after its use; an edit gives another."""
    main = write(main=MODEL.format(**PLAIN))
    keys = CallKeys(main.f)
    first = keys.key((), {})
    main.f().b = 5
    assert keys.key((), {}) == first
    assert key(write().f) == first
    for name, text in CHANGED.items():
        assert key(write(main=MODEL.format(**PLAIN | {name: text})).f) != first, name
    assert key(write(main=MODEL.format(**PLAIN)).f) == first


@pytest.mark.parametrize(
    "how", ["import importlib\nload = importlib.import_module", "from runpy import run_path as load"]
)
def test_modules_that_are_named_at_run_time_are_told(write: Callable[..., ModuleType], how: str) -> None:
    """What cannot be followed is listed, so that nobody relies on it."""
    main = write(main=f"{how}\ndef f(name): return load(name)\n")
    assert any("named at run time" in line for line in CallKeys(main.f).dependencies().untracked)


def test_a_late_module_that_is_edited_after_it_was_loaded_keeps_its_code(
    write: Callable[..., ModuleType],
) -> None:
    """What the old code makes is not kept under the key of the new code, which a reload brings in."""
    main = write(late="def h(): return 1\n", main="def f():\n    from . import late\n    return late.h()\n")
    function, first = main.f, key(main.f)
    function()
    late = sys.modules["surveyed.late"]
    path = Path(str(late.__file__))
    assert key(function) == first
    path.write_text("def h(): return 22\n")
    edited = key(function)
    importlib.reload(late)
    reloaded = key(function)
    assert reloaded not in (first, edited)
    assert key(write().f) == reloaded


SETTINGS = """
import math
FACTOR, OTHER = 2, 3
RATE = 0.5
TABLE = {"a": [1]}
CALLS = []
def scale(x=1): return x * RATE
def count(): CALLS.append(1)
class Kind:
    size = 1
    def name(self): return math.sqrt(FACTOR)
"""
LATE = (
    "def f():\n    from . import settings\n    settings.count()\n    return settings.FACTOR, settings.scale()"
)
LATE += ", settings.Kind().name(), settings.TABLE\n"


@pytest.mark.parametrize(
    "change",
    [
        "settings.FACTOR = 5",
        "settings.RATE = 5",
        "settings.TABLE['a'].append(2)",
        "settings.TABLE = {}",
        "settings.scale = lambda x=1: 7",
        "settings.scale.__defaults__ = (8,)",
        "settings.scale.__code__ = (lambda x: 9).__code__",
        "settings.Kind.name = lambda self: 1",
        "settings.Kind.more = 1",
        "settings.math = settings",
    ],
)
def test_what_a_late_module_holds_counts(write: Callable[..., ModuleType], change: str) -> None:
    """What its names stand for once it is loaded, as it does for a module that is imported at the top."""
    main = write(settings=SETTINGS, main=LATE)
    keys = CallKeys(main.f)
    keys.key((), {})
    assert any("surveyed.settings" in line for line in keys.dependencies().tracked)
    main.f()
    first = keys.key((), {})
    main.f()
    assert keys.key((), {}) == first
    exec(change, {"settings": sys.modules["surveyed.settings"]})
    assert keys.key((), {}) != first
    assert any("surveyed.settings" in line for line in keys.dependencies().tracked)


@pytest.mark.parametrize(
    "body",
    [
        "from . import late\n    return late.g()",
        "from .late import Kind, g as h\n    return h(), Kind().name()",
        "import surveyed.late\n    return surveyed.late.RATE",
    ],
)
def test_a_late_module_that_is_as_it_was_written_has_one_key(
    write: Callable[..., ModuleType], body: str
) -> None:
    """Whether it is loaded or not: functions, classes, constants, imports."""
    late = """
    import math, os.path
    from collections import OrderedDict as Ordered
    from . import more
    RATE = 0.5
    TEXT = "a"
    def g(x=1, *, y="a"): return x * RATE, more.work(), Ordered, os.path, TEXT
    class Kind:
        size = 1
        def name(self): return math.sqrt(self.size)
        @property
        def half(self): return self.size / 2
        @staticmethod
        def plain(x=2): return g()
    """
    main = write(late=late, more="LIMIT = 3\ndef work(): return LIMIT", main=f"def f():\n    {body}\n")
    keys = CallKeys(main.f)
    first = keys.key((), {})
    main.f()
    assert "surveyed.late" in sys.modules
    assert keys.key((), {}) == first
    sys.modules["surveyed.more"].LIMIT = 4  # type: ignore[attr-defined]  # of the user's module
    assert keys.key((), {}) != first


@pytest.mark.parametrize(
    "body",
    [
        "def f(kind='a'): return getattr(handlers, f'handle_{kind}')()",
        "def f(kind='a'): return handlers.__dict__['handle_' + kind]()",
        "def f(kind='a'): return vars(handlers)['handle_' + kind]()",
        "def f(k='a'): return pick(handlers, k)()\ndef pick(m, k): return getattr(m, 'handle_' + k)",
        "def f(kind='a'): return pick()(handlers, 'handle_' + kind)()\ndef pick(): return getattr",
        "HELD = [handlers]\ndef f(kind='a'): return getattr(HELD[0], 'handle_' + kind)()",
    ],
)
def test_names_that_are_made_up_lead_to_all_of_a_module(write: Callable[..., ModuleType], body: str) -> None:
    """Every function of it may be meant; also one that is added later."""
    text = "import math\ndef handle_a(): return {}\n"
    main = write(handlers=text.format(1), main=f"from . import handlers\n{body}\n")
    first = key(main.f)
    assert main.f() == 1
    assert key(write(handlers=text.format(1)).f) == first
    assert key(write(handlers=text.format(2)).f) != first


def test_a_constant_name_leads_to_that_alone(write: Callable[..., ModuleType]) -> None:
    """``getattr(module, "name")`` is no more than ``module.name``."""
    text = "def a(): return 1\ndef b(): return {}\n"
    main = write(
        handlers=text.format(1), main="from . import handlers\ndef f(): return getattr(handlers, 'a')()"
    )
    first = key(main.f)
    assert key(write(handlers=text.format(2)).f) == first


def test_classes_found_at_run_time_are_told(write: Callable[..., ModuleType]) -> None:
    """Nobody shall rely on what is not followed."""
    main = write(main="class Base: pass\ndef f(): return [kind() for kind in Base.__subclasses__()]\n")
    assert any("__subclasses__" in line for line in CallKeys(main.f).dependencies().untracked)
