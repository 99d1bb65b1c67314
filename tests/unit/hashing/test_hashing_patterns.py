"""Ways to write code: for each, an edit that matters gives another key, and one that does not the same key.

In the sources 1001, 1002, ... are numbers that the function ``f`` depends on, 2001, ... are numbers that it does not.
Every one of them is edited in turn.
"""

import itertools
import re
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from lightwork.hashing.calls import CallKeys

NAME = "pattern_job"

PATTERNS = {
    "property": """
        class A:
            @property
            def p(self): return 1001
            @p.setter
            def p(self, value): self.q = 1002
            def __repr__(self): return 1003
        def f(): return A().p
        """,
    "inheritance and overridden methods": """
        class Base:
            def a(self): return 1001
            def b(self): return 1002
        class Left(Base):
            x = 1003
        class Right(Base):
            def b(self): return super().b() + 1004
        class A(Left, Right): pass
        class Other(Base): y = 2001
        def f(): return A().b()
        """,
    "abstract classes": """
        import abc
        class Base(abc.ABC):
            @abc.abstractmethod
            def a(self): ...
            def b(self): return self.a() + 1001
        class A(Base):
            def a(self): return 1002
        def f(): return A().b()
        """,
    "class attributes, read off the class": """
        class A:
            limit = 1001
            table = {"a": [1002]}
            class Inner:
                limit = 1003
        def f(): return A.limit + A.table["a"][0] + A.Inner.limit
        """,
    "a method called on the class": """
        class A:
            @staticmethod
            def s(): return 1001
            @classmethod
            def c(cls): return 1002
        def f(): return A.s() + A.c()
        """,
    "partials": """
        import functools
        def g(a, b): return a + b + 1001
        h = functools.partial(g, 1002, b=1003)
        def f(): return h()
        """,
    "partialmethod": """
        import functools
        class A:
            def g(self, a): return a + 1001
            h = functools.partialmethod(g, 1002)
        def f(): return A().h()
        """,
    "decorator with wraps": """
        import functools
        def deco(g):
            @functools.wraps(g)
            def inner(*args): return g(*args) + 1001
            return inner
        @deco
        def g(): return 1002
        def f(): return g()
        """,
    "decorator with arguments": """
        def times(n):
            def deco(g):
                def inner(*args): return n * g(*args) + 1001
                return inner
            return deco
        @times(1002)
        def g(): return 1003
        def f(): return g()
        """,
    "decorators on the function itself": """
        def times(n):
            def deco(g):
                def inner(*args): return n * g(*args) + 1001
                return inner
            return deco
        @times(1002)
        @times(1003)
        def f(): return 1004
        """,
    "decorator that is a class": """
        class deco:
            def __init__(self, g): self.g = g
            def __call__(self, *args): return self.g(*args) + 1001
        @deco
        def g(): return 1002
        def f(): return g()
        """,
    "decorator that is a class, wrapping": """
        import functools
        class deco:
            def __init__(self, g):
                self.g = g
                functools.update_wrapper(self, g)
            def __call__(self, *args): return self.g(*args) + 1001
        @deco
        def g(): return 1002
        def f(): return g()
        """,
    "decorator of a class": """
        def deco(cls):
            cls.x = 1001
            cls.m = lambda self: 1002
            return cls
        @deco
        class A:
            def g(self): return 1003
        def f(): return A().x
        """,
    "caches of functools": """
        import functools
        @functools.lru_cache(maxsize=8)
        def a(): return 1001
        @functools.cache
        def b(): return 1002
        class A:
            @functools.lru_cache
            def m(self): return 1003
            @functools.cached_property
            def p(self): return 1004
        def f(): return a() + b() + A().m() + A().p
        """,
    "singledispatch": """
        import functools
        @functools.singledispatch
        def g(x): return 1001
        @g.register
        def _(x: int): return 1002
        @g.register(str)
        def _(x): return helper()
        def f(): return g(1)
        def helper(): return 1003
        class Own: pass
        g.register(Own, lambda x: 1004)
        """,
    "singledispatchmethod": """
        import functools
        class A:
            @functools.singledispatchmethod
            def m(self, x): return 1001
            @m.register
            def _(self, x: int): return 1002
        def f(): return A().m(1)
        """,
    "dataclasses": """
        import dataclasses
        def make(): return [1001]
        @dataclasses.dataclass
        class Base:
            x: int = 1002
            def m(self): return 1003
        @dataclasses.dataclass(frozen=True, eq=False)
        class A:
            y: list = dataclasses.field(default_factory=make)
            def __post_init__(self): return 1004
        def f(): return A(), Base()
        """,
    "named tuples": """
        from typing import NamedTuple
        class P(NamedTuple):
            x: int = 1001
            def m(self): return 1002
        def f(): return P().m()
        """,
    "enumerations": """
        import enum
        class E(enum.Enum):
            A = 1001
            B = 1002
            def m(self): return 1003
        class F(enum.IntFlag):
            A = 1004
        def f(): return E.A, F.A
        """,
    "metaclasses": """
        class Meta(type):
            def __call__(cls, *args): return super().__call__(*args), 1001
            def make(cls): return 1002
        class A(metaclass=Meta): x = 1003
        def f(): return A.make()
        """,
    "__init_subclass__": """
        class Base:
            def __init_subclass__(cls, **kwargs): cls.x = helper()
        def helper(): return 1001
        class A(Base): pass
        def f(): return A.x
        """,
    "descriptors": """
        class Field:
            def __init__(self, n): self.n = n
            def __get__(self, obj, cls=None): return self.n + 1001
            def __set_name__(self, owner, name): self.name = 1002
        class A: x = Field(1003)
        def f(): return A().x
        """,
    "operators": """
        class A:
            def __add__(self, other): return 1001
            def __getitem__(self, key): return 1002
            def __getattr__(self, name): return 1003
            __radd__ = __add__
        ONE = A()
        def f(): return ONE + 1
        """,
    "mutual recursion": """
        def even(n): return n == 0 or odd(n - 1001)
        def odd(n): return n != 0 and even(n - 1002)
        def f(): return even(8)
        """,
    "nested functions": """
        def f():
            def g():
                def h(): return deep() + 1001
                return h()
            return g()
        def deep(): return 1002
        """,
    "comprehensions": """
        def a(): return 1001
        def b(x): return 1002
        def c(): return 1003
        def f(): return [b(x) for x in a() if c()], {k: d() for k in ()}, {e() for k in ()}, *(g() for k in ())
        def d(): return 1004
        def e(): return 1005
        def g(): return 1006
        """,
    "lambdas in tables": """
        TABLE = {"a": lambda x: x + 1001, "b": [lambda: helper()], "c": (len, 1002)}
        def helper(): return 1003
        def f(): return TABLE["a"](1)
        """,
    "classes and partials in tables": """
        import functools
        class A:
            def m(self): return 1001
        def g(x): return 1002
        TABLE = {"a": A, "b": functools.partial(g, 1003), "c": A().m}
        def f(): return TABLE["a"]().m()
        """,
    "wrapped functions in tables": """
        import functools
        @functools.lru_cache
        def g(x): return 1001
        def deco(g):
            @functools.wraps(g)
            def inner(): return g() + 1002
            return inner
        @deco
        def h(): return 1003
        TABLE = [g, h]
        def f(): return TABLE[0](1)
        """,
    "registry filled by a decorator": """
        TABLE = {}
        def register(name):
            def deco(g):
                TABLE[name] = g
                return g
            return deco
        @register("a")
        def g(): return 1001
        def f(): return TABLE["a"]()
        """,
    "generators": """
        def g():
            yield 1001
            yield from h()
        def h(): yield 1002
        def f(): return list(g())
        """,
    "coroutines": """
        async def g(): return 1001
        async def a():
            yield 1002
        async def h():
            async with Manager():
                async for x in a(): return [await g() async for y in a()]
        class Manager:
            async def __aenter__(self): return 1003
            async def __aexit__(self, *args): return 1004
        def f(): return h()
        """,
    "context managers": """
        import contextlib
        class A:
            def __enter__(self): return 1001
            def __exit__(self, *args): return 1002
        @contextlib.contextmanager
        def manager():
            yield helper() + 1003
        def helper(): return 1004
        def f():
            with A() as a, manager() as b: return a + b
        """,
    "match statements": """
        class A:
            __match_args__ = ("x",)
            y = 1001
        LIMIT = 1002
        def f(value=None):
            match value:
                case A(x=1003): return 1
                case {"a": [1004, *rest]}: return g()
                case str() | None if LIMIT: return 1005
        def g(): return 1006
        """,
    "exceptions": """
        class Oops(Exception):
            code = 1001
        def f():
            try: return g()
            except Oops as exc: return exc.code
        def g(): raise Oops(1002)
        """,
    "walrus, star, format": """
        def a(): return 1001
        def b(): return (1002,)
        def c(): return "1003"
        def f():
            if (n := a()) and [*b()]: return f"{n:>{c()}} {n!r}"
        """,
    "conditional imports and fallbacks": """
        try:
            import no_such_module_at_all as fast
        except ImportError:
            fast = None
        def slow(): return 1001
        def f(): return fast.run() if fast else slow()
        """,
    "global constants of the standard library's types": """
        import datetime, decimal, fractions, pathlib, re, uuid
        A = datetime.timedelta(days=1001)
        B = decimal.Decimal("1002")
        C = fractions.Fraction(1, 1003)
        D = pathlib.Path("/1004")
        E = re.compile("1005")
        G = range(1006)
        H = frozenset({1007, (1, 1008)})
        I = slice(0, 1009)
        K = complex(1010)
        UNUSED = 2001
        def f(): return A, B, C, D, E, G, H, I, K
        """,
    "keyword-only defaults and defaults of lambdas": """
        def g(a, /, b=1001, *, c=1002): return a
        h = lambda x=1003: x
        def f(): return g(1), h()
        """,
    "a function under another name": """
        def g(): return 1001
        h = k = g
        def unused(): return 2001
        def f(): return k()
        """,
    "functions that take functions": """
        def apply(g, *args): return g(*args)
        def g(): return 1001
        def key(x): return 1002
        def f(): return apply(g), sorted([1], key=key), list(map(h, [1]))
        def h(x): return 1003
        """,
    "code that is not reached from here": """
        def g(): return 2001
        class A: x = 2002
        LIMIT = 2003
        def f(): return 1001
        def after(): return f() + 2004
        """,
    "slots": """
        class A:
            __slots__ = ("x", "y")
            def __init__(self): self.x = 1001
            def m(self): return self.x + 1002
        def f(): return A().m()
        """,
    "abstract types of typing": """
        from typing import Generic, Protocol, TypeVar
        T = TypeVar("T")
        class Does(Protocol):
            def m(self) -> int: return 1001
        class A(Generic[T]):
            def m(self): return 1002
        def f(): return A[int]().m(), Does
        """,
    "type aliases": """
        from typing import Optional, TypeAlias, Union
        class A: x = 1001
        Alias: TypeAlias = "list[A]"
        Other = Optional[A]
        def f(x: Alias = None) -> Other: return A.x
        """,
    "try, finally, loops": """
        def f():
            for i in range(1001):
                try:
                    while True:
                        if i > 1002: break
                        else: continue
                finally: g()
            else: return 1003
        def g(): return 1004
        """,
    "locals shadowing globals": """
        x = 2001
        def f():
            x = 1001
            def g(): return x
            return g()
        """,
    "nonlocal state and closures over closures": """
        def counter(start):
            n = start
            def up():
                nonlocal n
                return n + 1001
            def both(): return up() + n
            return both
        both = counter(1002)
        def f(): return both()
        """,
    "bound methods kept in globals": """
        class A:
            def __init__(self, n): self.n = n
            def m(self): return self.n + 1001
        run = A(1002).m
        def f(): return run()
        """,
    "instances with callables": """
        class Pipeline:
            def __init__(self, *steps): self.steps = list(steps)
            def run(self):
                for step in self.steps: step()
        def a(): return 1001
        PIPELINE = Pipeline(a, lambda: 1002)
        def f(): return PIPELINE.run()
        """,
    "local classes": """
        class Base: x = 1001
        def f():
            class A(Base):
                "text"
                y = 1002
                def m(self):
                    self.z = 1003
                    self.w = self.y
            return A().m()
        """,
    "dunder call and callable instances": """
        class A:
            def __call__(self): return helper()
        def helper(): return 1001
        run = A()
        def f(): return run()
        """,
    "a global that is assigned by another function": """
        LIMIT = 1001
        def set_limit(n):
            global LIMIT
            LIMIT = n
        def f(): return LIMIT
        """,
    "method names that come from a mixin": """
        class Mixin:
            def run(self): return self.step()
        class A(Mixin):
            def step(self): return 1001
        def f(): return A().run()
        """,
    "delegation by getattr on an instance": """
        class Inner:
            def m(self): return 1001
        class A:
            def __init__(self): self.inner = Inner()
            def __getattr__(self, name): return getattr(self.inner, name)
        def f(): return A().m()
        """,
    "decorator that is a class, with state": """
        import functools
        class times:
            def __init__(self, n): self.n = n
            def __call__(self, g):
                return Inner(g, self.n)
        class Inner:
            def __init__(self, g, n):
                self.n = n
                functools.update_wrapper(self, g)
            def __call__(self, *args): return self.n * self.__wrapped__(*args) + 1001
        @times(1002)
        def g(): return 1003
        def f(): return g()
        """,
    "bound methods of what is written in C": """
        import operator, re, threading
        A = re.compile("1001").sub
        B = threading.Lock().acquire
        C = "1003".join
        D = {"a": 1004}.get
        E = operator.itemgetter(1005)
        F = operator.methodcaller("m", 1006)
        G = (1007).__add__
        def f(): return A, B, C, D, E, F, G
        """,
    "namespaces and views": """
        import types
        A = types.SimpleNamespace(a=1001)
        B = types.MappingProxyType({"a": 1002})
        def f(): return A, B
        """,
    "arrays": """
        import numpy as np
        A = np.array([1001])
        B = np.float64(1002)
        C = np.dtype("S1003")
        g = np.vectorize(lambda x: x + 1004)
        def f(): return A, B, C, g
        """,
    "__new__, class_getitem, class keywords": """
        class Meta(type):
            def __new__(meta, name, bases, space, **kwargs):
                cls = super().__new__(meta, name, bases, space)
                cls.kwargs = kwargs
                return cls
            def __init__(cls, *args, **kwargs): pass
        class A(metaclass=Meta, n=1001):
            def __new__(cls): return super().__new__(cls), 1002
            def __class_getitem__(cls, key): return 1003
        def f(): return A[0]
        """,
    "subclasses of what is built in": """
        class D(dict):
            def __missing__(self, key): return 1001
        class E(int):
            def __add__(self, other): return 1002
        class F(str):
            __slots__ = ()
            def upper(self): return "1003"
        DATA = D(a=1)
        ONE = E(1004)
        TEXT = F("1005")
        def f(): return DATA["x"] + ONE + 1, TEXT
        """,
    "class content in containers and lambdas": """
        class A:
            steps = [lambda self: 1001, ("a", lambda self: 1002)]
            p = property(lambda self: 1003)
            q = staticmethod(lambda: 1004)
        def f(): return A.steps[0](A())
        """,
    "functions with attributes": """
        def g(): return g.limit + 1001
        g.limit = 1002
        def f(): return g()
        """,
    "attributes of the function itself": """
        def f(): return f.limit
        f.limit = 1001
        """,
    "super with an overridden method": """
        class Base:
            def m(self): return helper()
        class A(Base):
            def m(self): return super().m() + super(A, self).m()
        def helper(): return 1001
        A_ONE = A()
        def f(): return A_ONE.m()
        """,
    "overloads and annotations that count": """
        import functools, typing
        @typing.overload
        def g(x: int) -> int: ...
        @typing.overload
        def g(x: str) -> str: ...
        def g(x): return 1001
        def f(): return g(1)
        """,
    "module-level code that computes": """
        SCALE = 1001 * 2
        TABLE = [i * SCALE for i in range(3)]
        NAMES = {n: i for i, n in enumerate("ab")} | {"c": 1002}
        def f(): return TABLE, NAMES
        """,
    "weak and lazy": """
        import functools, types
        def lazy(g):
            box = []
            def get():
                if not box: box.append(g())
                return box[0]
            return get
        get = lazy(lambda: 1001)
        def f(): return get()
        """,
    "type objects made by calls": """
        import collections, enum, types
        P = collections.namedtuple("P", "a b", defaults=[1001])
        E = enum.Enum("E", {"A": 1002})
        A = type("A", (), {"x": 1003, "m": lambda self: 1004})
        def f(): return P, E, A
        """,
    "class in a closure": """
        def make(n):
            class A:
                x = n
                def m(self): return n + 1001
            return A
        A = make(1002)
        one = make(1003)()
        def f(): return A().m(), one.x
        """,
    "globals read in class bodies of functions": """
        LIMIT = 1001
        def f():
            class A:
                x = LIMIT
                y = [LIMIT + z for z in (1002,)]
            return A
        """,
    "starred calls and keyword tables": """
        OPTIONS = {"a": 1001}
        def g(**kw): return kw, 1002
        def f(): return g(**OPTIONS)
        """,
    "asserts, deletes, chained comparisons": """
        def g(): return 1001
        def f():
            x = [1002]
            assert 1003 < g() < 1004, "1005"
            del x[0]
            return x
        """,
    "decorator that is a class, with a cache": """
        class memo:
            def __init__(self, g):
                self.g, self.seen = g, {}
            def __call__(self, x):
                if x not in self.seen: self.seen[x] = self.g(x)
                return self.seen[x]
        @memo
        def g(x): return 1001
        def f(): return g(1)
        """,
    "decorators that count calls": """
        import functools
        def counted(g):
            @functools.wraps(g)
            def inner(*args):
                inner.calls += 1
                return g(*args)
            inner.calls = 2001
            return inner
        @counted
        def g(): return 1001
        def f(): return g()
        """,
    "members of enumerations and subclasses of numbers in globals": """
        import enum
        class E(enum.Enum):
            A = 1001
            def m(self): return 1002
        class N(int):
            def m(self): return 1003
        ONE, TWO = E.A, [N(1004)]
        def f(): return ONE.m() + TWO[0].m()
        """,
    "a table that holds a wrapper of itself": """
        import functools
        def g(table): return 1001
        TABLE = {}
        TABLE["a"] = functools.partial(g, TABLE)
        def f(): return TABLE["a"]()
        """,
    "an object that holds its own methods": """
        class A:
            def __init__(self):
                self.steps = {"m": self.m}
                self.g = lambda: 1001
            def m(self): return 1002
        ONE = A()
        def f(): return ONE.steps["m"]()
        """,
}
if sys.version_info >= (3, 12):
    PATTERNS["type parameters"] = """
        type Alias[T] = list[T]
        class A[T]:
            def m[S: int](self, x: S) -> S: return 1001
        def g[T](x: T) -> T: return 1002
        def f(): return A[int]().m(1), g(1)
        """

NEUTRAL = {
    "comment": lambda source: source + "# c\n",
    "lines": lambda source: "\n\n\n" + source.replace("\ndef ", "\n\n\ndef ").replace("\nclass ", "\n\nclass "),
    "unused": lambda source: "def zzz(): return 1\n" + source + "\nZZZ = 3\n",
}


@pytest.fixture(autouse=True)
def module() -> Iterator[None]:
    yield
    sys.modules.pop(NAME, None)


def dedent(source: str) -> str:
    return re.sub(r"(?m)^ {8}", "", source).lstrip("\n")


def key(source: str) -> bytes:
    """The key of ``f()`` in a new module of that source."""
    module = sys.modules[NAME] = ModuleType(NAME)
    exec(compile(source, f"/project/{NAME}.py", "exec"), vars(module))
    return CallKeys(module.f).key((), {})


@pytest.mark.parametrize("pattern", PATTERNS)
def test_edits_that_matter_reach_the_key_and_others_do_not(pattern: str) -> None:
    """Each number is changed on its own."""
    source = dedent(PATTERNS[pattern])
    first = key(source)
    assert key(source) == first
    numbers = re.findall(r"[12]0\d\d", source)
    assert len(set(numbers)) == len(numbers) > 0
    for number in numbers:
        changed = key(source.replace(number, "9" + number[1:])) != first
        assert changed == number.startswith("1"), number


@pytest.mark.parametrize("pattern", PATTERNS)
def test_moves_do_not_matter(pattern: str) -> None:
    """Other lines, a comment, another function in the file."""
    source = dedent(PATTERNS[pattern])
    assert {key(edit(source)) for edit in NEUTRAL.values()} == {key(source)}


