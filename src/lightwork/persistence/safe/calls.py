"""What the names of a skeleton stand for, what may be called, and what a state may be set on."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from ...errors import CorruptFileError, LightworkError, UnsafeFileError
from .constructors import Constructor, Later
from .scan import Name
from .trusted import Trusted

# Any: the values of a file.
__all__ = ["Calls"]

_ITEM = 64  # bytes that an object counts as: it is looked at by itself
_NUMBER = 8
_CALL, _HEAVY_CALL = 100, 20_000  # bytes that a call counts as, by the time it takes: 1 µs, 100 µs
_HEAVY = ("pandas", "scipy", "lightwork.parcel.rebuild_")
_LEVELS, _FEW = 3, 16  # arguments and states are small containers of large values


class Calls:
    """For one skeleton, whose names have been admitted.

    `resolve` tells what each name stands for. `spend` takes note of the bytes that a call goes over: a few
    bytes of a file can give a large value to a constructor once more, which copies it.

    Calls, ``__new__`` and states are for names only, never for values that happen to be callable: what a name
    stands for is recognized by its id, and is kept so that its id stays its own.
    """

    def __init__(
        self, resolve: Callable[[Name], Constructor], trusted: Trusted, spend: Callable[[int], None]
    ) -> None:
        self._resolve = resolve
        self._spend = spend
        self._open = 0
        self._trusted = trusted
        self._values: dict[Name, Any] = {}
        self._constructors: dict[int, tuple[Constructor, str]] = {}
        self._unfinished: dict[int, tuple[Later, str]] = {}
        self._stateless: set[type] = set()

    def value(self, name: Name) -> Any:
        """What stands on the stack for a name."""
        if name not in self._values:
            constructor = self._resolve(name)
            value = constructor if constructor.value is None else constructor.value
            self._values[name] = value
            self._constructors[id(value)] = constructor, str(name)
        self.pushed(self._values[name])
        return self._values[name]

    def pushed(self, value: Any) -> None:
        """Take note that `value` is on the stack once more; a name alone must be called as often."""
        self._open += type(value) is Constructor

    def call(self, function: Any, arguments: Any) -> Any:
        """What a function makes of its arguments, or a `Later`."""
        constructor, name = self._constructor(function)
        return self._made(constructor, constructor.call, name, arguments, {})

    def new(self, kind: Any, arguments: Any, keywords: Any) -> Any:
        """What the ``__new__`` of a class makes of its arguments, or a `Later`."""
        constructor, name = self._constructor(kind)
        return self._made(constructor, constructor.new, name, arguments, keywords)

    def _constructor(self, function: Any) -> tuple[Constructor, str]:
        found = self._constructors.get(id(function))
        if found is None:
            raise UnsafeFileError(f"it calls a {type(function).__name__}, which is no name that it may use")
        self._open -= type(function) is Constructor
        return found

    def _made(
        self,
        constructor: Constructor,
        make: Callable[..., Any] | None,
        name: str,
        arguments: Any,
        keywords: Any,
    ) -> Any:
        if make is None:
            raise UnsafeFileError(f"it calls {name}, which may only be a value here")
        if type(arguments) is not tuple or type(keywords) is not dict or set(map(type, keywords)) - {str}:
            raise CorruptFileError(f"the arguments of {name} are no tuple")
        if not constructor.views:
            _guarded(name, lambda: self._spend(_weight(arguments) + _cost_of(name)))
        if self._trusted.owns(constructor.value):
            return make(*arguments, **keywords)
        value = _guarded(name, lambda: make(*arguments, **keywords))
        if type(value) is Later:
            self._unfinished[id(value)] = value, name
        elif type(value) is Constructor:
            self._constructors[id(value)] = value, name
            self.pushed(value)
        elif constructor.stateless:
            self._stateless.add(type(value))
        return value

    def with_state(self, target: Any, state: Any) -> Any:
        """`target` when its state is known: another object if it was a `Later`."""
        if type(target) is Later:
            _, name = self._unfinished.pop(id(target))
            _guarded(name, lambda: self._spend(_weight(state)))
            return _guarded(name, lambda: target.build(state))
        if type(target) is OrderedDict:
            _set_metadata(target, state)
        elif type(target) not in self._stateless:
            self._trusted.set_state(target, state)
        return target

    def unfinished(self, value: Later) -> str:
        """Why a value that has no state yet is not used."""
        _, name = self._unfinished.get(
            id(value), (value, "a call")
        )  # or it was noted twice, and has it since
        return (
            f"what {name} makes is used before its state is known, as by an array of objects that holds "
            "itself: safe=True does not build that"
        )

    def check_finished(self) -> None:
        """Raise one of our errors if a state has never come, or a name is a value that may only be called."""
        if self._unfinished:
            raise CorruptFileError("it holds a value whose state never comes")
        if self._open:
            raise UnsafeFileError("it holds a function as a value, which may only be called here")


def _set_metadata(target: Any, state: Any) -> None:
    """The one attribute that dicts of a library have: torch keeps the versions of modules there."""
    if type(state) is not dict or list(state) != ["_metadata"]:
        raise UnsafeFileError("it sets the state of an OrderedDict, other than what torch keeps there")
    target._metadata = state["_metadata"]


def _cost_of(name: str) -> int:
    return _HEAVY_CALL if name.startswith(_HEAVY) else _CALL


def _weight(value: Any, depth: int = 0) -> int:
    """How many bytes a constructor goes over that is given `value`; ranges count as if written out."""
    if isinstance(value, bytes | bytearray | str):
        return len(value)
    if isinstance(value, list | tuple | dict | set | frozenset):
        inner = value.values() if isinstance(value, dict) else value
        few = depth < _LEVELS and len(value) <= _FEW
        return _ITEM * len(value) + (sum(_weight(item, depth + 1) for item in inner) if few else 0)
    if isinstance(value, memoryview | type) or not hasattr(value, "nbytes") or not getattr(value, "ndim", 1):
        return 0
    nbytes = value.nbytes() if callable(value.nbytes) else value.nbytes  # torch's storages have a method
    count = len(value) if hasattr(value, "__len__") else 0
    each = _ITEM if getattr(getattr(value, "dtype", None), "kind", "") == "O" else _NUMBER
    return max(int(nbytes), each * count)


def _guarded(name: str, make: Callable[[], Any]) -> Any:
    """What `make` makes of the values of the file, which may be any nonsense."""
    try:
        return make()
    except (LightworkError, MemoryError):
        raise
    except Exception as exc:  # numpy and pandas raise many things about nonsense
        raise CorruptFileError(f"it gives nonsense to {name}: {type(exc).__name__}: {exc}") from exc
