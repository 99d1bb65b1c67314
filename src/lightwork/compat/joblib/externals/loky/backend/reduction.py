"""How calls are pickled on their way to a worker: by reference if possible, else by value.

``LOKY_PICKLER`` names another module whose ``Pickler`` is used for all.
"""

import copyreg
import io
import os
import pickle
from collections import ChainMap
from collections.abc import Mapping
from typing import Any

from ......arrays.sightings import Snapshot, exporter
from ......parcel.pickling import PROTOCOL, make_value_pickler, needs_value_pickling
from ......system.optional import imported

__all__ = ["Beside", "dumps", "get_loky_pickler_name", "set_loky_pickler"]

_DEFAULT = "cloudpickle"


class _Choice:
    """The module whose pickler is used in this process."""

    def __init__(self) -> None:
        self.name = _DEFAULT
        self.module: Any = None  # Any: what the user names
        self.choose(None)

    def choose(self, name: str | None) -> None:
        name = name or os.environ.get("LOKY_PICKLER") or _DEFAULT
        self.module = None if name in (_DEFAULT, "pickle") else imported(name)
        if self.module is not None and not hasattr(self.module, "Pickler"):
            raise ImportError(f"the module {name!r} has no Pickler, so tasks cannot be pickled with it")
        self.name = name


_CHOICE = _Choice()


def set_loky_pickler(loky_pickler: str | None = None) -> None:
    """Choose the module whose ``Pickler`` pickles tasks: ``"cloudpickle"``, ``"pickle"``, or another.

    Raises
    ------
    ImportError
        There is no such module, or it has no `Pickler`.
    """
    _CHOICE.choose(loky_pickler)


def get_loky_pickler_name() -> str:
    """The name of the module whose pickler is used."""
    return _CHOICE.name


class Beside:
    """The snapshots of memory that belong to a pickle and are not in it.

    All else that has buffers pickles their bytes: what is beside may travel later, and must not change.
    """

    def __init__(self) -> None:
        self.buffers: list[pickle.PickleBuffer] = []

    def is_inside(self, buffer: pickle.PickleBuffer) -> bool:
        """For `pickle.Pickler`: whether the bytes of a buffer go into the pickle."""
        if not isinstance(exporter(buffer.raw()), Snapshot):
            return True
        self.buffers.append(buffer)
        return False


def dumps(
    obj: object,
    reducers: Mapping[type, Any],  # Any: as `copyreg.pickle` takes them
    beside: Beside | None = None,
) -> bytes:
    """The pickle of an object, all of it or all but what is `beside`. An error is that of the pickler.

    `reducers` are by exact type.
    """
    file = io.BytesIO()
    if _CHOICE.module is not None:
        # It need not know of buffers.
        _tabled(_CHOICE.module.Pickler(file, PROTOCOL), reducers).dump(obj)
        return file.getvalue()
    by_value = _CHOICE.name == _DEFAULT
    is_inside = None if beside is None else beside.is_inside
    try:
        _tabled(pickle.Pickler(file, PROTOCOL, buffer_callback=is_inside), reducers).dump(obj)
    except Exception:
        if not by_value:
            raise
    else:
        data = file.getvalue()
        if not (by_value and needs_value_pickling(data)):
            return data
    file = io.BytesIO()
    if beside is not None:
        beside.buffers.clear()
    make_value_pickler(file, reducers, is_inside).dump(obj)
    return file.getvalue()


def _tabled(pickler: Any, reducers: Mapping[type, Any]) -> Any:  # Any: picklers of others
    if reducers:
        pickler.dispatch_table = ChainMap(dict(reducers), copyreg.dispatch_table)
    return pickler
