"""cloudpickle under the name it had in joblib until 1.5."""

from typing import Any

from .....system.optional import imported
from . import cloudpickle

__all__ = ["cloudpickle"]


def __getattr__(name: str) -> Any:  # Any: the package has no types
    return getattr(imported("cloudpickle"), name)
