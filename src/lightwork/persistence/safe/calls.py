"""What the names of a skeleton stand for, what may be called, and what a state may be set on."""

from collections.abc import Callable
from typing import Any

from ...errors import CorruptFileError, LightworkError, UnsafeFileError
from .constructors import Constructor, Later
from .scan import Name
from .trusted import Trusted

# Any: the values of a file.
__all__ = ["UNFINISHED", "Calls"]

UNFINISHED = "it uses a value before its state is known"


class Calls:
    """For one skeleton, whose names have been admitted: `resolve` tells what each stands for.

    Calls, ``__new__`` and states are for names only, never for values that happen to be callable: what a name
    stands for is recognized by its id, and is kept so that its id stays its own.
    """

    def __init__(self, resolve: Callable[[Name], Constructor], trusted: Trusted) -> None:
        self._resolve = resolve
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
        return self._values[name]

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
        if self._trusted.owns(constructor.value):
            return make(*arguments, **keywords)
        value = _guarded(name, lambda: make(*arguments, **keywords))
        if type(value) is Later:
            self._unfinished[id(value)] = value, name
        elif type(value) is Constructor:
            self._constructors[id(value)] = value, name
        elif constructor.stateless:
            self._stateless.add(type(value))
        return value

    def with_state(self, target: Any, state: Any) -> Any:
        """`target` when its state is known: another object if it was a `Later`."""
        if type(target) is Later:
            _, name = self._unfinished.pop(id(target))
            return _guarded(name, lambda: target.build(state))
        if type(target) not in self._stateless:
            self._trusted.set_state(target, state)
        return target

    def check_finished(self) -> None:
        """Raise `CorruptFileError` if the state of a value has never come."""
        if self._unfinished:
            raise CorruptFileError(UNFINISHED)


def _guarded(name: str, make: Callable[[], Any]) -> Any:
    """What `make` makes of the values of the file, which may be any nonsense."""
    try:
        return make()
    except (LightworkError, MemoryError):
        raise
    except Exception as exc:  # numpy and pandas raise many things about nonsense
        raise CorruptFileError(f"it gives nonsense to {name}: {type(exc).__name__}: {exc}") from exc
