"""What stands for the names of a file: constructors of ours, that check what they are given."""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

from ...errors import CorruptFileError
from ...system.optional import require
from .claims import Claims
from .keys import Keys
from .scan import Name

# Any: values of a file, and what libraries that may not be installed make of them.
__all__ = [
    "Constructor",
    "Family",
    "Kit",
    "Later",
    "as_value",
    "checked",
    "checked_all",
    "checked_class",
    "checked_shape",
]

_DIMENSIONS, _LENGTH = 64, 1 << 62


class Constructor(NamedTuple):
    """What is done with a name of a file."""

    value: Any = None
    """What it stands for as a value, a class as a rule; ``None`` if it may only be called."""

    call: Callable[..., Any] | None = None
    """Makes what ``name(*arguments)`` would; the arguments are checked."""

    new: Callable[..., Any] | None = None
    """Makes what ``name.__new__(name, *arguments)`` would, or a `Later`."""

    stateless: bool = False
    """Whether a state may come for what is made, and says nothing: a cache."""

    views: bool = False
    """Whether it only looks at what it is given, however much that is."""


class Later:
    """A value that is made as soon as its state is known: the state goes to `build`."""

    __slots__ = ("build",)

    def __init__(self, build: Callable[[Any], Any]) -> None:
        self.build = build


class Kit:
    """What constructors need: libraries, loaded when the first name of theirs is met, and the array class.

    `keys` checks what is hashed, `spend` takes note of the bytes that are gone over, `claims` of the buffers
    that values lie in.
    """

    def __init__(
        self, make_array: Callable[..., Any] | None, keys: Keys, claims: Claims, spend: Callable[[int], None]
    ) -> None:
        self._make_array = make_array
        self.keys = keys
        self.claims = claims
        self.spend = spend
        # How deep arrays of objects lie in one another, by id; kept, so that ids stay theirs.
        self._depths: dict[int, tuple[Any, int]] = {}

    def nest(self, array: Any, items: Iterable[Any], most: int) -> None:
        """Take note that `items` lie in `array`; no more than `most` arrays may lie in one another."""
        known = self._depths
        depth = 1 + max((known[id(item)][1] for item in items if id(item) in known), default=0)
        if depth > most:
            raise CorruptFileError(f"arrays are nested more than {most} levels deep")
        known[id(array)] = array, depth

    @cached_property
    def numpy(self) -> Any:
        """The library."""
        return require("numpy", purpose="a value that holds arrays", extra="numpy")

    @cached_property
    def pandas(self) -> Any:
        """The library."""
        return require("pandas", purpose="a value that holds frames", extra="all")

    @cached_property
    def arrow(self) -> Any:
        """``pyarrow``."""
        return require("pyarrow", purpose="a value that holds arrays of Arrow", extra="arrow")

    @cached_property
    def polars(self) -> Any:
        """The library."""
        return require("polars", purpose="a value that holds frames of polars", extra="polars")

    @cached_property
    def torch(self) -> Any:
        """The library."""
        return require("torch", purpose="a value that holds tensors", extra="torch")

    @cached_property
    def sparse(self) -> Any:
        """``scipy.sparse``."""
        return require("scipy.sparse", purpose="a value that holds sparse matrices", extra="all")

    @cached_property
    def make_array(self) -> Callable[..., Any]:
        """What makes an array, with the parameters of ``numpy.ndarray``; see `parcels.join_with`."""
        make: Callable[..., Any] = self._make_array or self.numpy.ndarray
        return make


Family: TypeAlias = Mapping[Name, Callable[[Kit], Constructor]]


def as_value(value: Any) -> Callable[[Kit], Constructor]:
    """For a name that is a value and is never called."""
    return lambda kit: Constructor(value)


def checked(value: Any, kinds: type | tuple[type, ...], purpose: str) -> Any:
    """`value`, which must be of exactly one of `kinds`: a subclass could have methods of its own.

    Nothing else may be done with a value before this: to compare, hash or print one may take for ever.
    """
    if type(value) not in (kinds if isinstance(kinds, tuple) else (kinds,)):
        raise CorruptFileError(f"it gives a {type(value).__name__} as {purpose}")
    return value


def checked_class(kind: Any, classes: Collection[type], purpose: str) -> Any:
    """`kind`, which must be one of `classes`."""
    if not isinstance(kind, type) or kind not in classes:
        given = kind.__name__ if isinstance(kind, type) else f"a {type(kind).__name__}"
        raise CorruptFileError(f"it gives {given} as {purpose}")
    return kind


def checked_shape(shape: Any) -> tuple[int, ...]:
    """`shape`, if it is one. The product of many large numbers would take very long."""
    lengths: tuple[int, ...] = checked_all(checked(shape, tuple, "a shape"), int, "a length")
    if len(lengths) > _DIMENSIONS or not all(0 <= length < _LENGTH for length in lengths):
        raise CorruptFileError(
            "it gives as a shape what is none: numbers below zero, or too large, or too many"
        )
    return lengths


def checked_all(values: Any, kinds: type | tuple[type, ...], purpose: str) -> Any:
    """`values`, each of which must be of exactly one of `kinds`."""
    for value in values:
        checked(value, kinds, purpose)
    return values
