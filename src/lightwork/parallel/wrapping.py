"""Objects that travel as what cloudpickle makes of them, wherever the standard pickle is used."""

import inspect
import pickle
from typing import Any, TypeVar, cast

from ..system.optional import imported

__all__ = ["CallableObjectWrapper", "CloudpickledObjectWrapper", "wrap_non_picklable_objects"]

_T = TypeVar("_T")


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


def wrap_non_picklable_objects(obj: _T, keep_wrapper: bool = True) -> _T:
    """Something that acts as `obj` and can be pickled, if cloudpickle can. Works as a decorator too.

    `Parallel` and `Executor` need no such help: they turn to cloudpickle where pickle gives up. It is for
    what others pickle, a ``multiprocessing`` pool for example.

    Parameters
    ----------
    obj
        A function or another callable, a class, or any object. Of a class: another class of that name, whose
        instances wrap instances of it.
    keep_wrapper
        Whether it is still wrapped after it was unpickled; else it is the bare object.
    """
    if inspect.isclass(obj):
        return cast("_T", _wrapped_class(obj, keep_wrapper))
    return cast("_T", _wrap(obj, keep_wrapper))


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
