"""Call keys: calls that mean the same have one key, all others have another."""

import contextlib
import functools
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightwork import File
from lightwork.errors import InvalidOption, UnhashableError
from lightwork.hashing.calls import CallKeys


def plain(a: Any, b: Any = 2, *rest: Any, k: Any = 3, **more: Any) -> Any:
    return a


def fixed(a: Any, b: Any = 2) -> Any:
    return a


def positional(a: Any, b: Any = 2, /, c: Any = 3, **more: Any) -> Any:
    return a


class Model:
    def __init__(self, rate: float) -> None:
        self.rate = rate

    def fit(self, x: Any, deep: bool = False) -> Any:
        return x

    def __call__(self, x: Any) -> Any:
        return x

    @classmethod
    def make(cls, x: Any) -> Any:
        return x

    @staticmethod
    def plain(x: Any) -> Any:
        return x


class SubModel(Model):
    pass


def key(function: Any, *args: Any, **kwargs: Any) -> bytes:
    return CallKeys(function).key(args, kwargs)


def test_ways_to_write_one_call_share_a_key() -> None:
    """Positional, by keyword, in any order, with defaults spelled out."""
    assert (
        len({key(plain, 1), key(plain, a=1), key(plain, 1, 2), key(plain, b=2, a=1), key(plain, 1, k=3)}) == 1
    )
    assert len({key(fixed, 1, 2), key(fixed, 1), key(fixed, b=2, a=1)}) == 1
    assert key(positional, 1, 2, 3) == key(positional, 1, c=3)


def test_different_calls_have_different_keys() -> None:
    """Extra positionals, extra keywords and named ones are kept apart."""
    keys = [
        key(plain, 1),
        key(plain, 2),
        key(plain, 1, 3),
        key(plain, 1, k=4),
        key(plain, 1, 2, 3),
        key(plain, 1, 2, 3, 4),
        key(plain, 1, 2, (3, 4)),
        key(plain, 1, x=3),
        key(plain, 1, y=3),
        key(plain, 1, x=3, y=4),
        key(plain, 1.0),
        key(plain, True),
        key(plain, "1"),
        key(plain, 1, more={"x": 3}),
        key(plain, 1, 2, rest=(3,)),
        key(fixed, 1),
        key(positional, 1),
        key(positional, 1, a=1),
        key(positional, 1, b=2),
    ]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("function", "args", "kwargs"),
    [
        (plain, (), {}),
        (fixed, (1, 2, 3), {}),
        (fixed, (1,), {"a": 2}),
        (fixed, (1,), {"c": 2}),
        (positional, (), {"a": 1}),
        (Model(1).fit, (), {}),
        (functools.partial(fixed, 1, 2), (3,), {}),
    ],
)
def test_calls_that_do_not_fit_raise_as_the_function_would(function: Any, args: Any, kwargs: Any) -> None:
    """A TypeError, with the function's name."""
    with pytest.raises(TypeError):
        function(*args, **kwargs)
    with pytest.raises(TypeError, match=r"(plain|fixed|positional|fit)\(\)"):
        CallKeys(function).key(args, kwargs)


def test_scalars_take_the_same_key_on_every_path() -> None:
    """The short way for scalars and the general walk agree."""
    for value in (None, True, 1, 10**50, 1.5, 2j, "a", "a" * 100, "a" * 100_000, b"a", b"a" * 100_000):
        assert key(fixed, value, 1) == key(fixed, a=value, b=1)
        assert key(fixed, value, [1]) == key(fixed, b=[1], a=value)


def test_ignored_parameters_do_not_count() -> None:
    """By name, and ``*`` and ``**`` for what has none."""
    keys = CallKeys(plain, ignore=["b", "**"])
    assert keys.key((1, 5), {"x": 1}) == keys.key((1,), {"y": 2})
    assert keys.key((1, 5, 6), {}) != keys.key((1, 5, 7), {})
    assert CallKeys(plain, ignore=["*"]).key((1, 2, 3), {}) == CallKeys(plain, ignore=["*"]).key((1,), {})
    generator = (place for place in range(0))
    assert CallKeys(fixed, ignore=["b"]).key((1, generator), {}) == CallKeys(fixed, ignore=["b"]).key(
        (1,), {}
    )


@pytest.mark.parametrize(
    "options",
    [
        {"ignore": ["z"]},
        {"ignore": "a"},
        {"ignore": ["**"]},
        {"track": "all"},
        {"version": [1]},
        {"ignore": ["a"], "key": str},
    ],
)
def test_options_that_cannot_be_right_are_refused_at_once(options: Any) -> None:
    """When the function is decorated, not when it is called; as a ValueError."""
    with pytest.raises(ValueError, match=next(iter(options))) as caught:
        CallKeys(fixed, **options)
    assert isinstance(caught.value, InvalidOption)


def test_version_track_and_ignore_are_part_of_the_key() -> None:
    """Changing one of them starts anew."""
    options: list[dict[str, Any]] = [
        {},
        {"version": 1},
        {"version": "1"},
        {"track": "none"},
        {"ignore": ["b"]},
    ]
    keys = [CallKeys(fixed, **each).key((1,), {}) for each in options]
    assert len(set(keys)) == len(keys)


def test_keys_begin_with_the_function() -> None:
    """32 bytes, of which the first 8 are those of all calls of the function."""
    keys = CallKeys(fixed)
    assert len(keys.key((1,), {})) == 32
    assert keys.key((1,), {})[:8] == keys.key((2,), {})[:8] == keys.prefix
    assert CallKeys(plain).prefix != keys.prefix
    assert keys.function_id == f"{__name__}:fixed"


def test_errors_name_the_parameter() -> None:
    """And the path inside the value."""
    generator = (place for place in range(0))
    calls: list[tuple[Any, Any, str]] = [
        ((generator,), {}, "a "),
        ((1, {"x": generator}), {}, r"b\['x'\] "),
        ((1, 2, generator), {}, r"args\[0\] "),
        ((1,), {"k": [generator]}, r"k\[0\] "),
        ((1,), {"z": generator}, r"kwargs\['z'\] "),
    ]
    for args, kwargs, name in calls:
        with pytest.raises(UnhashableError, match=f"^{name}"):
            CallKeys(plain).key(args, kwargs)


def test_methods_count_with_their_object() -> None:
    """State, class and method: two instances share iff they are equal."""
    assert key(Model(1).fit, 5) == key(Model(1).fit, x=5)
    assert key(Model(1).fit, 5) == CallKeys(Model.fit).key((Model(1), 5), {})
    keys = [
        key(Model(1).fit, 5),
        key(Model(2).fit, 5),
        key(SubModel(1).fit, 5),
        key(Model(1), 5),
        key(Model.make, 5),
        key(SubModel.make, 5),
        key(Model.plain, 5),
        key(Model, 5),
        key(SubModel, 5),
    ]
    assert len(set(keys)) == len(keys)


def test_partials_are_opened() -> None:
    """What a partial holds counts, however it was put in."""
    assert key(functools.partial(fixed, 1), 2) == key(functools.partial(fixed, b=2), 1) == key(fixed, 1, 2)
    assert key(functools.partial(fixed, 1), 2) != key(functools.partial(fixed, 2), 2)
    held = [1]
    keys = CallKeys(functools.partial(fixed, held))
    before = keys.key((), {})
    held.append(2)
    assert keys.key((), {}) != before


def test_callables_without_code_are_called_by_name() -> None:
    """Builtins and ufuncs; their arguments cannot be named."""
    assert len({key(max, 1, 2), key(min, 1, 2), key(np.add, 1, 2), key(np.subtract, 1, 2), key(len, [])}) == 5
    assert key(sorted, [1], reverse=True) != key(sorted, [1])


def test_a_wrapper_that_takes_anything_is_bound_like_what_it_wraps() -> None:
    """``functools.wraps`` keeps parameter names, so ignoring and defaults go on working."""

    def wrap(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapper

    wrapped = wrap(fixed)
    assert key(wrapped, 1) == key(wrapped, a=1, b=2) != key(wrapped, 2)
    assert CallKeys(wrapped, ignore=["b"]).key((1, 7), {}) == CallKeys(wrapped, ignore=["b"]).key((1,), {})
    assert key(wrapped, 1, 2, 3) != key(wrapped, 1, 2)  # fits the wrapper, if not what it wraps


def _fills_in(function: Any) -> Any:
    @functools.wraps(function)
    def inner(*a: Any, **k: Any) -> Any:
        k.setdefault("b", 10)
        return function(*a, **k)

    return inner


def _adds_one(function: Any) -> Any:
    @functools.wraps(function)
    def inner(*a: Any, **k: Any) -> Any:
        return function("session", *a, **k)

    return inner


def _looks_on(function: Any) -> Any:
    @functools.wraps(function)
    def inner(*a: Any, **k: Any) -> Any:
        return function(*a, **k), len(a)

    return inner


def _calls_another(function: Any) -> Any:
    @functools.wraps(function)
    def inner(*a: Any, **k: Any) -> Any:
        return (function if len(__name__) else plain)(*a, **k)

    return inner


def _looks_from_inside(function: Any) -> Any:
    @functools.wraps(function)
    def inner(*a: Any, **k: Any) -> Any:
        return function(*a, **k), (lambda: a)

    return inner


def _sees_variables(function: Any) -> Any:
    @functools.wraps(function)
    def inner(*a: Any, **k: Any) -> Any:
        return function(*a, **k), locals()

    return inner


def _assigns(function: Any) -> Any:
    @functools.wraps(function)
    def inner(*a: Any, **k: Any) -> Any:
        a = (1,)
        return function(*a, **k)

    return inner


def _binds(function: Any) -> Any:
    return functools.wraps(Model(1).fit)(lambda *a, **k: Model(1).fit(*a, **k))


@pytest.mark.parametrize(
    "wrap",
    [
        _fills_in,
        _adds_one,
        _looks_on,
        _calls_another,
        _looks_from_inside,
        _sees_variables,
        _assigns,
        _binds,
        functools.singledispatch,
    ],
)
def test_a_wrapper_that_can_tell_two_calls_apart_has_two_keys(wrap: Any) -> None:
    """Defaults of what it wraps are not filled in, and its parameters cannot be left out."""
    wrapped = wrap(fixed)
    assert len({key(wrapped, 1), key(wrapped, 1, b=2), key(wrapped, 1, 2), key(wrapped, a=1)}) == 4
    with pytest.raises(InvalidOption, match=r"ignore names 'b'.*decorator.*key="):
        CallKeys(wrapped, ignore=["b"])
    keys = CallKeys(wrapped, ignore=["**"])
    assert keys.key((1,), {"b": 1}) == keys.key((1,), {}) != keys.key((2,), {})


def _passes_in_a_loop(function: Any) -> Any:
    @functools.wraps(function)
    def inner(*a: Any, **k: Any) -> Any:
        for place in range(3):
            try:
                return function(*a, **k)
            except OSError:
                print(place)
        return function(
            *a,
            **k,
        )

    return inner


class _Context(contextlib.ContextDecorator):
    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        pass


def _passes_positional(function: Any) -> Any:
    @functools.wraps(function)
    def inner(*a: Any) -> Any:
        return function(*a)

    return inner


@pytest.mark.parametrize(
    "wrap",
    [
        _passes_in_a_loop,
        _passes_positional,
        functools.lru_cache,
        _Context(),
        lambda function: _passes_in_a_loop(functools.cache(_passes_in_a_loop(function))),
    ],
)
def test_a_wrapper_that_only_passes_on_is_bound_like_what_it_wraps(wrap: Any) -> None:
    """Also several of them, and those of the standard library."""
    wrapped = wrap(fixed)
    assert len({key(wrapped, 1), key(wrapped, 1, 2), key(wrapped, a=1), key(wrapped, b=2, a=1)}) == 1
    ignoring = CallKeys(wrapped, ignore=["b"])
    assert ignoring.key((1, 7), {}) == ignoring.key((1,), {}) != ignoring.key((2,), {})


def test_a_key_function_stands_for_the_arguments() -> None:
    """Only what it returns counts."""
    keys = CallKeys(fixed, key=lambda a, b=2: a % 10)
    assert keys.key((3,), {}) == keys.key((13, 5), {}) != keys.key((4,), {})


def _by_first(a: Any, b: Any = 2) -> Any:
    return a


def _by_both(a: Any, b: Any = 2) -> Any:
    return 0 * b + a


def test_the_code_of_a_key_function_counts_as_the_function_itself_does() -> None:
    """One that was repaired does not find what was kept under the old one; ``track="none"`` means both."""

    def tolerant(digits: int) -> Any:
        return lambda a, b=2: round(a, digits)

    makers = [_by_first, _by_both, tolerant(1), tolerant(2), functools.partial(_by_first, b=1), abs, str]
    keys = [CallKeys(fixed, key=make) for make in makers]
    assert len({each.key((1,), {}) for each in keys}) == len(keys)
    assert CallKeys(fixed, key=tolerant(1)).key((1,), {}) == keys[2].key((1,), {})
    selves = [CallKeys(fixed, key=make, track="self").key((1,), {}) for make in makers[:4]]
    assert len(set(selves)) == 4
    hands = [CallKeys(fixed, key=make, track="none").key((1,), {}) for make in makers[:2]]
    assert len(set(hands)) == 1
    assert any("_by_both" in line for line in keys[1].dependencies().tracked)
    call = keys[1].call((1,), {})
    assert any("_by_both" in name for name in keys[1].parts(call))


def test_a_summary_never_calls_a_foreign_repr() -> None:
    """Built-in values as they print, others by type and shape, 200 characters in all."""

    class Loud:
        def __repr__(self) -> str:
            raise AssertionError("called")

    keys = CallKeys(fixed)
    text = keys.summary((1, {"a": [Loud(), "x" * 1000]}), {"z": np.zeros((3, 4))})
    assert text.startswith("fixed(1, {'a': [<Loud>, 'xxx")
    assert text.endswith("z=<ndarray (3, 4)>)")
    assert keys.summary((), {}) == "fixed()"
    assert keys.summary(((1,), set(), (), None), {}) == "fixed((1,), {}, (), None)"
    assert len(keys.summary(([["y" * 99] * 99] * 99,) * 99, {})) == 200


def test_call_keys_travel() -> None:
    """Sent to a worker, they make the same keys there."""
    keys = CallKeys(fixed, ignore=iter(["b"]), version=3, track="self")
    assert pickle.loads(pickle.dumps(keys)).key((1,), {}) == keys.key((1, 2), {})


def test_a_summary_names_files_and_the_class_of_a_method() -> None:
    """So that results of one function can be told apart, of a long path by its end."""

    class Study:
        def score(self, file: Any) -> None: ...

    def summary(*args: Any) -> str:
        return CallKeys(Study.score).summary(args, {})

    assert summary(Study(), File("d1.txt")) == "Study.score(<Study>, File('d1.txt'))"
    assert summary(Study(), [Path("d2.txt")]) == "Study.score(<Study>, [PosixPath('d2.txt')])"
    long = summary(Study(), File("folder/" * 30 + "d3.txt"))
    assert "File('..." in long
    assert long.endswith("folder/d3.txt'))")
    assert (
        CallKeys(test_a_summary_names_files_and_the_class_of_a_method).summary((), {}).startswith("test_a_")
    )
