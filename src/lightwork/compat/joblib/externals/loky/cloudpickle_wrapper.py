"""Objects that travel as what cloudpickle makes of them, wherever the standard pickle is used."""

import inspect
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

from .....system.optional import imported

__all__ = ["CallableObjectWrapper", "CloudpickledObjectWrapper", "wrap_non_picklable_objects"]


class CloudpickledObjectWrapper:
    """Stands for an object: attributes are the object's. Any: that object may be anything."""

    def __init__(self, obj: Any, keep_wrapper: bool = False) -> None:
        self._obj = obj
        self._keep_wrapper = keep_wrapper

    def __reduce__(self) -> tuple[Any, ...]:
        data = imported("cloudpickle").dumps(self._obj)
        if not self._keep_wrapper:
            return pickle.loads, (data,)
        return _wrapped_again, (data, self._keep_wrapper)

    def __getattr__(self, attr: str) -> Any:
        if attr in ("_obj", "_keep_wrapper"):  # not set yet, while it is unpickled
            raise AttributeError(attr)
        return getattr(self._obj, attr)


class CallableObjectWrapper(CloudpickledObjectWrapper):
    """As its base class, for what can be called."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._obj(*args, **kwargs)


def _wrap(obj: Any, keep_wrapper: bool) -> CloudpickledObjectWrapper:
    kind = CallableObjectWrapper if callable(obj) else CloudpickledObjectWrapper
    return kind(obj, keep_wrapper=keep_wrapper)


def _wrapped_again(data: bytes, keep_wrapper: bool) -> CloudpickledObjectWrapper:
    return _wrap(pickle.loads(data), keep_wrapper)


def _wrapped_class(made: type, keep_wrapper: bool) -> type:
    """A class whose instances wrap instances of another."""

    class Wrapped(CloudpickledObjectWrapper):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(made(*args, **kwargs), keep_wrapper)

    if any("__call__" in vars(kind) for kind in made.__mro__):

        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            return self._obj(*args, **kwargs)

        Wrapped.__call__ = call  # type: ignore[method-assign]  # only where the other class has it
    Wrapped.__name__ = made.__name__
    return Wrapped


def wrap_non_picklable_objects(obj: Any, keep_wrapper: bool = True) -> Any:
    """Something that acts as `obj` and can be pickled, if cloudpickle can. Works as a decorator too.

    Parameters
    ----------
    obj
        A function or another callable, a class, or any object.
    keep_wrapper
        Whether it is still wrapped after it was unpickled.
    """
    if inspect.isclass(obj):
        return _wrapped_class(obj, keep_wrapper)
    return _wrap(obj, keep_wrapper)


def _wrap_objects_when_needed(obj: Any) -> Any:
    """`obj`, wrapped if it is a function that the standard pickle cannot find again."""
    found: Callable[..., Any] | Any = obj.func if isinstance(obj, partial) else obj
    module = getattr(found, "__module__", None)
    if "<lambda>" in repr(found) or "<locals>" in repr(found) or module == "__main__":
        return wrap_non_picklable_objects(obj, keep_wrapper=False)
    return obj
