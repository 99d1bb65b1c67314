"""loky's names for objects that travel as what cloudpickle makes of them."""

from collections.abc import Callable
from functools import partial
from typing import Any

from .....parallel.wrapping import (
    CallableObjectWrapper,
    CloudpickledObjectWrapper,
    wrap_non_picklable_objects,
)

__all__ = ["CallableObjectWrapper", "CloudpickledObjectWrapper", "wrap_non_picklable_objects"]


def _wrap_objects_when_needed(obj: Any) -> Any:
    """`obj`, wrapped if it is a function that the standard pickle cannot find again."""
    found: Callable[..., Any] | Any = obj.func if isinstance(obj, partial) else obj
    module = getattr(found, "__module__", None)
    if "<lambda>" in repr(found) or "<locals>" in repr(found) or module == "__main__":
        return wrap_non_picklable_objects(obj, keep_wrapper=False)
    return obj
