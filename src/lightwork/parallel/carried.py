"""What a call brings from this process to the workers beside the tasks."""

from typing import TYPE_CHECKING

from .. import parcel
from ..hashing.names import class_name
from ..system.optional import loaded

if TYPE_CHECKING:
    from ..hashing.registered import Pickled, Registered

__all__ = ["hash_rules"]


def hash_rules() -> "dict[str, Pickled]":
    """The rules of `register_hash` as `Registered.adopt` takes them.

    Raises
    ------
    UnpicklableError
        A rule cannot travel; the message names its class.
    """
    module = loaded("lightwork.hashing.registered")
    if module is None:  # nothing was hashed here, so nothing was registered
        return {}
    registered: Registered = module.REGISTERED
    return {class_name(cls): _pickled(cls, rule) for cls, rule in registered.rules().items()}


def _pickled(cls: type, rule: object) -> "Pickled":
    path = f"the hash rule of {class_name(cls)}"
    taken = parcel.parcels.split((cls, rule), by_value=True, path=path)
    return taken.skeleton, [bytearray(buffer) for buffer in taken.buffers]
