"""One key for one value: `hash` and `digest`."""

from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from types import BuiltinFunctionType
from typing import Any, TypeVar

from .. import hashing
from ..errors import InvalidOption, UnhashableError
from .digests import BLAKE3, Algorithm, algorithm
from .library import is_library
from .names import is_importable
from .objects import OBJECT_RULES, encode_stand_in, enum_rule, instance_rule, type_rule
from .registered import REGISTERED, Pickled
from .rules import BUILTIN_RULES
from .walk import Cycle, NotHashable, Rule, RuleBook, Walk

__all__ = [
    "RULES",
    "SCHEME",
    "adopt_rules",
    "digest",
    "hash",
    "register_hash",
    "token_of",
    "unhashable_text",
]

T = TypeVar("T")

SCHEME = b"lightwork 1\n"
"""Begins every digest. A change of the scheme changes the number, and with it every key."""


def hash(obj: Any, hash_name: str = "blake3", coerce_mmap: bool = False) -> str:
    """The key of a value: equal content gives an equal key, in every process and on every day.

    Parameters
    ----------
    obj
        Any value whose content can be looked at: what is built in, numpy and pandas objects, functions,
        classes, and instances that can be pickled. It is not changed and not kept.
    hash_name
        ``"blake3"`` (default), any fixed-length digest of `hashlib` (``"sha256"``, ``"md5"``, ...), or
        ``"xxh3"`` (fast, but keys can be forged).
    coerce_mmap
        Accepted for joblib's sake. A memory-mapped array and the same array in memory agree either way.

    Returns
    -------
    str
        Lower-case hexadecimal digits, 64 for the default.

    Raises
    ------
    UnhashableError
        A part has no content of its own, such as an open file. The message names where it sits.
    InvalidOption
        An unknown `hash_name`, or a `coerce_mmap` that is no bool.

    Notes
    -----
    Types count (``1``, ``1.0`` and ``True`` differ); the order of dicts, the memory layout of arrays and the
    identity of parts do not. Functions count by code and captured values, classes by name. Large buffers
    are hashed by several threads and copied 1 MiB at a time at most.

    Examples
    --------
    >>> hash({"a": 1, "b": [2.0]}) == hash({"b": [2.0], "a": 1})
    True
    """
    if not isinstance(coerce_mmap, bool):
        raise InvalidOption(
            f"coerce_mmap={coerce_mmap!r} is not a bool; memory-mapped arrays agree either way"
        )
    return digest_with(algorithm(hash_name), obj, path="value").hex()


def register_hash(cls: type[T], rule: Callable[[T], Any]) -> None:
    """Let ``rule(value)`` stand for the content of all values of a class and its subclasses.

    For classes that cannot be given a ``__cache_key__`` method. Takes effect at once, wherever a value sits
    inside another one, and in the tasks of later `Parallel` calls of this process.

    Parameters
    ----------
    cls
        Any class but the built-in scalars and containers, whose keys are fixed.
    rule
        Gets the value and returns another one, which is hashed in its place (the class still counts). One
        that returns the value itself makes all values of the class unhashable.

    Raises
    ------
    InvalidOption
        `cls` is no class or one that is built in, or `rule` cannot be called.
    """
    given: object = cls
    if not isinstance(given, type) or any(issubclass(fixed, given) for fixed in BUILTIN_RULES):
        raise InvalidOption(
            f"register_hash cannot change the key of {cls!r}: give a class of your own or a library's"
        )
    if not callable(rule):
        raise InvalidOption(
            f"the rule {rule!r} for {cls.__name__} cannot be called: give a function of one value"
        )
    REGISTERED.add(cls, rule)
    RULES.forget(lambda known: issubclass(known, cls))


def adopt_rules(pickled: Mapping[str, Pickled]) -> None:
    """Use what was registered in another process too, see `Registered.adopt`."""
    if REGISTERED.adopt(pickled):
        RULES.forget(lambda known: known not in BUILTIN_RULES)


def digest(obj: Any, *, path: str = "value") -> bytes:
    """The key of a value as 32 bytes. `path` names the value in the error, see `hash`."""
    return digest_with(BLAKE3, obj, path=path)


def digest_with(chosen: Algorithm, obj: Any, *, path: str) -> bytes:
    """As `digest`, with another algorithm."""
    return chosen.of(SCHEME + token_of(obj, path=path, chosen=chosen))


def token_of(
    obj: Any, *, path: str, chosen: Algorithm = BLAKE3, visit: Callable[[Any], None] | None = None
) -> bytes:
    """The token of a value as a whole; every function and class met is shown to `visit`."""
    try:
        try:
            return Walk(chosen, RULES, visit=visit).token(obj)
        except Cycle:
            return Walk(chosen, RULES, numbered=True, visit=visit).token(obj)
    except NotHashable as exc:
        raise UnhashableError(
            unhashable_text(exc, hashing.locate.locate(obj, exc.culprit, path))
        ) from exc.__cause__
    except RecursionError:
        raise UnhashableError(
            f"{path} is nested too deeply to be hashed: flatten it, or raise sys.setrecursionlimit"
        ) from None


def unhashable_text(exc: NotHashable, place: str) -> str:
    """The message about a part without a key, which sits at `place`."""
    kind = type(exc.culprit)
    return (
        f"{place} is a {kind.__module__}.{kind.__qualname__}, which has no content to be identified by "
        f"({exc.reason}): leave it out (ignore=), pass what makes it, or give its class a __cache_key__()"
    )


def _rule_for(cls: type) -> Rule:
    """The rule of a type not in the book: the user's, by the names of its bases, or as an instance."""
    registered = REGISTERED.of(cls)
    if registered is not None:
        return partial(_stand_in, registered)
    if cls in OBJECT_RULES:
        return OBJECT_RULES[cls]
    if _name(cls) == "numpy:ndarray":
        return hashing.numpy_rules.exact_array
    if issubclass(cls, BuiltinFunctionType):  # from Python 3.12 on, class methods written in C have their own
        return OBJECT_RULES[BuiltinFunctionType]
    if not issubclass(cls, type) and any("__cache_key__" in vars(base) for base in cls.__mro__):
        return instance_rule
    for base in cls.__mro__:
        rule = _library_rules(base).get(_name(base))
        if rule is not None:
            return rule
    if issubclass(cls, type):
        return type_rule
    return enum_rule if issubclass(cls, Enum) else instance_rule


def _stand_in(rule: Callable[[Any], Any], walk: Walk, value: Any) -> bytes:
    return walk.part(value, lambda walk, value: encode_stand_in(walk, value, rule))


def _name(cls: type) -> str:
    return f"{cls.__module__.partition('.')[0]}:{cls.__qualname__}"


def _library_rules(cls: type) -> Mapping[str, Rule]:
    """Rules by name for the library of a type, imported when a type of it is met."""
    library = cls.__module__.partition(".")[0]
    part = _FAMILIES.get(library)
    rules: Mapping[str, Rule] = {} if part is None else getattr(hashing, part).RULES
    return rules


_FAMILIES = {
    "array": "standard_rules",
    "fractions": "standard_rules",
    "mmap": "standard_rules",
    "numpy": "numpy_rules",
    "pandas": "pandas_rules",
    "pathlib": "standard_rules",
    "polars": "polars_rules",
    "pyarrow": "arrow_rules",
    "pydantic": "model_rules",
    "scipy": "scipy_rules",
    "sklearn": "model_rules",
    "torch": "torch_rules",
    "typing": "standard_rules",
    "xarray": "xarray_rules",
    "zoneinfo": "standard_rules",
}
"""Top-level package of a type, and the part of `hashing` that knows its types."""


def _lasts(cls: type) -> bool:
    """Whether a type is held by its library and so may be remembered."""
    return is_library(cls.__module__) and is_importable(cls)


RULES = RuleBook({**BUILTIN_RULES, **OBJECT_RULES}, _rule_for, _lasts)
