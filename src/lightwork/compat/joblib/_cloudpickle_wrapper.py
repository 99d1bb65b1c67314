"""joblib's `wrap_non_picklable_objects`, which does nothing where there are no processes to send to."""

from typing import Any

from ._multiprocessing_helpers import mp
from .externals.loky.cloudpickle_wrapper import wrap_non_picklable_objects as _wrap

__all__ = ["wrap_non_picklable_objects"]


def _my_wrap_non_picklable_objects(obj: Any, keep_wrapper: bool = True) -> Any:
    """`obj` itself: without processes nothing needs to be pickled."""
    return obj


wrap_non_picklable_objects = _my_wrap_non_picklable_objects if mp is None else _wrap
