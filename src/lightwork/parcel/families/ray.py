"""References to objects of ray, as ray writes them for other processes: with the address of their owner.

By themselves they are pickled without it, and whoever asks for the object then waits for ever.
"""

import pickle
from collections.abc import Callable
from typing import Any

from ...system.optional import loaded

__all__ = ["find"]


# Any: values of a library that may not be installed.
def find(kind: type) -> Callable[[Any], tuple[Any, ...]] | None:
    """The reducer of a type of ray."""
    return _reduce_reference if kind is loaded("ray").ObjectRef else None


def _reduce_reference(reference: Any) -> tuple[Any, ...]:
    """The bytes of a ``ray.ObjectRef``."""
    return pickle.loads, (loaded("ray").cloudpickle.dumps(reference),)
