"""``cloudpickle.cloudpickle`` under the name it had in joblib until 1.5."""

from typing import Any

from .....system.optional import imported

__all__: list[str] = []


def __getattr__(name: str) -> Any:  # Any: the module has no types
    return getattr(imported("cloudpickle.cloudpickle"), name)
