"""`explain_hash`: where a key comes from, part by part."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

from .. import hashing
from ..errors import InvalidOption, UnhashableError
from .digests import Algorithm, algorithm
from .leaves import is_code
from .names import class_name, function_name
from .naming import Namer
from .nodes import HashNode
from .recording import Part, Recorder
from .summaries import summarise
from .values import RULES, SCHEME, token_of, unhashable_text
from .walk import Cycle, NotHashable

__all__ = ["explain_hash"]

DEEPEST = 50
"""Upper bound of ``depth=``."""

_RAW = 3  # steps of the walk that may be one step of a reader: instance, pair of states, attributes
_SIZED = (list, tuple, dict, set, frozenset)


def explain_hash(obj: Any, hash_name: str = "blake3", *, depth: int = 10, width: int = 1000) -> HashNode:
    """The tree of a value: type, key, bytes and milliseconds of each part. ``print`` it.

    Shows what makes a key slow (the dearest parts), what makes it unstable (``differences`` between the
    trees of two values that should agree, such as a value and its pickled copy), and every part that has
    no key.

    Parameters
    ----------
    obj
        Any value. It is not changed; the tree does not keep it.
    hash_name
        As in `hash`.
    depth
        Parts deeper than this are left out, ``0 <= depth <= 50``.
    width
        Parts of one part that are in the tree at most, ``>= 1``; the first ones. There are 10,000 nodes in
        all at most, then the deepest are left out.

    Returns
    -------
    HashNode
        The root, whose `key` is ``hash(obj, hash_name)``, or ``None`` if there is none: then the nodes at
        fault have an `error`. Nothing is raised for them.

    Raises
    ------
    InvalidOption
        An unknown `hash_name`, or a `depth` or `width` out of bounds.

    Notes
    -----
    Takes longer than `hash`, by some microseconds for each part. Milliseconds depend on what else runs,
    all other fields on the value alone.

    Examples
    --------
    >>> from lightwork import explain_hash, hash
    >>> tree = explain_hash({"a": [1, 2.5], "b": "x"})
    >>> [(node.path, node.type) for node in tree.children]
    [("value['a']", 'list'), ("value['b']", 'str')]
    >>> tree.key == hash({"a": [1, 2.5], "b": "x"})
    True
    """
    _check("depth", depth, 0, DEEPEST)
    _check("width", width, 1, None)
    chosen = algorithm(hash_name)
    try:
        return _node(chosen, Namer(), _record(chosen, obj, depth, width), "value", depth)
    except RecursionError:
        return _unopened(chosen, obj)


def _check(name: str, given: int, least: int, most: int | None) -> None:
    if type(given) is not int or given < least or (most is not None and given > most):
        bounds = f"from {least} to {most}" if most is not None else f"of at least {least}"
        raise InvalidOption(f"{name}={given!r} is not a whole number {bounds}")


def _record(chosen: Algorithm, obj: Any, depth: int, width: int) -> Part:
    levels = _RAW * depth
    try:
        return Recorder(chosen, RULES, levels=levels, width=width).record(obj)
    except Cycle:
        return Recorder(chosen, RULES, numbered=True, levels=levels, width=width).record(obj)


def _unopened(chosen: Algorithm, obj: Any) -> HashNode:
    """The node of a value that is nested too deeply for a recording, which needs more of Python's stack."""
    key, error = None, None
    try:
        key = chosen.of(SCHEME + token_of(obj, path="value", chosen=chosen)).hex()
    except UnhashableError as exc:
        error = str(exc)
    return HashNode(
        "value", _type_name(obj), "nested too deeply to be shown", key, 0, 0.0, (), 1, error=error
    )


def _node(chosen: Algorithm, namer: Namer, part: Part, path: str, depth: int) -> HashNode:
    named = namer.children(part)
    children = [_node(chosen, namer, inner, path + step, depth - 1) for step, inner in named if depth > 0]
    return HashNode(
        path=path,
        type=_type_name(part.value),
        summary=_summary(part),
        key=None if part.lost else chosen.of(SCHEME + part.token).hex(),
        nbytes=part.nbytes,
        milliseconds=part.seconds * 1000,
        children=tuple(children),
        omitted=part.omitted + len(named) - len(children),
        packed=_is_packed(part),
        again=part.again,
        error=_error(part, path, children),
    )


def _is_packed(part: Part) -> bool:
    return (
        type(part.value) in _SIZED and len(part.value) > 0 and not (part.parts or part.omitted or part.again)
    )


def _error(part: Part, path: str, children: list[HashNode]) -> str | None:
    """Why a part has no key, unless one of its children tells."""
    refusal = part.error
    if part.lost and refusal is None and all(child.key for child in children):
        refusal = next(_refusals(part), None)
    if refusal is None:
        return None
    return unhashable_text(refusal, hashing.locate.locate(part.value, refusal.culprit, path))


def _refusals(part: Part) -> Iterator[NotHashable]:
    for inner in part.parts:
        if inner.error is not None:
            yield inner.error
        yield from _refusals(inner)


def _type_name(value: Any) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _summary(part: Part) -> str:
    """A few words on what a part holds, without running code of its class."""
    value, kind = part.value, type(part.value)
    if kind in _SIZED:
        return f"{len(value):,} item{'s' * (len(value) != 1)}"
    if issubclass(kind, ModuleType):
        return str(value.__name__)
    if is_code(value):
        return class_name(value) if isinstance(value, type) else function_name(value)
    if kind.__module__.partition(".")[0] in ("numpy", "pandas"):
        return " ".join(
            str(fact) for name in ("dtype", "shape") if (fact := getattr(value, name, None)) is not None
        )
    text = summarise(value) if kind.__module__ == "builtins" else ""
    return "" if text.startswith("<") else text
