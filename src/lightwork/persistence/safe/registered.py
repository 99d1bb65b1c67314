"""Types of users that ``load(safe=True)`` builds, by functions of theirs (`register_safe`)."""

from collections.abc import Callable
from typing import Any, TypeVar

from ...errors import CorruptFileError, InvalidOption
from .constructors import Constructor, Later
from .scan import Name

__all__ = ["REGISTERED", "Registered", "register_safe"]

# Any: the attributes of users' objects.
T = TypeVar("T")
_WAYS = ("__reduce__", "__reduce_ex__", "__getnewargs__", "__getnewargs_ex__", "__getstate__")
Build = Callable[[dict[str, Any]], Any]


def register_safe(cls: type[T], build: Callable[[dict[str, Any]], T]) -> None:
    """Let ``load(safe=True)`` build objects of a class, with ``build(attributes)``.

    Nothing of the file is run: `build` gets a dictionary of attributes whose values safe loading has built.
    It should check them as the input of a form: any may be missing or of another type. What it raises makes
    the file a `CorruptFileError`. Takes effect at once, in this process.

    Parameters
    ----------
    cls
        A class whose objects give `pickle` their attributes (``__dict__`` or ``__slots__``): none with a
        ``__reduce__``, ``__getstate__`` or ``__getnewargs__`` of its own. Files know it by its name of now.
    build
        Makes an object, such as ``lambda held: Point(float(held["x"]), float(held["y"]))``.

    Raises
    ------
    InvalidOption
        `cls` is no class, is made inside a function, or is taken apart otherwise; `build` cannot be called.
    """
    given: object = cls
    if not isinstance(given, type) or "<" in given.__qualname__:
        raise InvalidOption(f"register_safe takes a class that its module leads to, not {cls!r}")
    own = [name for name in _WAYS if getattr(cls, name, None) is not getattr(object, name, None)]
    if own:
        raise InvalidOption(f"{cls.__qualname__} has a {own[0]}: only attributes can be built from")
    if not callable(build):
        raise InvalidOption(
            f"build={build!r} cannot be called: give a function of a dictionary of attributes"
        )
    REGISTERED.add(cls, build)


class Registered:
    """The registered classes of this process, by their names in files."""

    def __init__(self) -> None:
        self._found: dict[Name, tuple[type, Build]] = {}

    def add(self, cls: type, build: Build) -> None:
        """Build `cls` with `build` from now on."""
        self._found[Name(cls.__module__, cls.__qualname__)] = cls, build

    def __contains__(self, name: object) -> bool:
        return name in self._found

    def constructor(self, name: Name) -> Constructor:
        """What stands for the name of a registered class."""
        cls, build = self._found[name]

        def new(*arguments: Any, **keywords: Any) -> Later:
            if arguments or keywords:
                raise CorruptFileError(f"it makes a {cls.__qualname__} from more than attributes")
            return Later(lambda state: build(_attributes(state)))

        return Constructor(cls, None, new)


REGISTERED = Registered()


def _attributes(state: Any) -> dict[str, Any]:
    """What is in ``__dict__`` and in slots, of a state as `object.__getstate__` gives it."""
    parts = state if type(state) is tuple and len(state) == 2 else (state,)
    found: dict[str, Any] = {}
    for part in parts:
        if part is None:
            continue
        if type(part) is not dict or set(map(type, part)) - {str}:
            raise CorruptFileError("attributes are no dictionary of names")
        found.update(part)
    return found
