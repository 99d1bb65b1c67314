"""Constructors for tensors of torch, which must lie in their storages: torch would make these larger."""

import re
from collections.abc import Callable
from math import prod
from typing import Any

from ...errors import CorruptFileError
from ...parcel import rebuild_torch
from .arrays import checked_array
from .constructors import Constructor, Family, Kit, checked, checked_all, checked_shape
from .scan import Name

# Any: values of a file, tensors of a library that may not be installed.
__all__ = ["FAMILY"]

_DEVICE = re.compile(r"(cpu|cuda|mps|xpu)(:[0-9]{1,3})?")
_DTYPES = (
    *("float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"),
    *("float8_e4m3fnuz", "float8_e5m2fnuz", "complex64", "complex128", "complex32", "bool"),
    *("int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8"),
)
_CALL = 2000  # bytes that a tensor counts as, by the time it takes
_MOST = 1 << 62  # bytes; torch computes with 64 bits


def _storage(kit: Kit) -> Constructor:
    def call(array: Any, device: Any) -> Any:
        if not checked_array(kit, array, None, "u").flags.c_contiguous:
            raise CorruptFileError("the bytes of a storage do not lie side by side")
        if not _DEVICE.fullmatch(checked(device, str, "a device")):
            raise CorruptFileError(f"{device[:40]!r} is no device")
        return rebuild_torch.storage(array, device)

    return Constructor(None, call)


def _tensor(kit: Kit) -> Constructor:
    torch = kit.torch
    known = {getattr(torch, name) for name in _DTYPES if hasattr(torch, name)}

    def call(storage: Any, dtype: Any, offset: Any, shape: Any, strides: Any, requires_grad: Any) -> Any:
        checked(storage, torch.UntypedStorage, "a storage")
        if checked(dtype, torch.dtype, "a dtype") not in known:
            raise CorruptFileError(f"a tensor of {dtype} is not written in this way")
        if len(checked_shape(shape)) != len(checked_shape(strides)) or checked(offset, int, "an offset") < 0:
            raise CorruptFileError(f"{shape} and {strides} are no shape and strides of a tensor")
        last = sum((length - 1) * step for length, step in zip(shape, strides, strict=True))
        end = offset + (last + 1 if 0 not in shape else 0)
        nbytes, room = prod(shape) * dtype.itemsize, storage.nbytes()
        if end * dtype.itemsize > room or nbytes >= _MOST:
            raise CorruptFileError(f"a tensor of shape {shape} is not in a storage of {room} bytes")
        repeated = nbytes > room  # whoever computes with it writes it out
        kit.spend(_CALL + (nbytes if repeated or dtype == torch.bool else 0))
        checked(requires_grad, bool, "whether it has a gradient")
        made = rebuild_torch.tensor(storage, dtype, offset, shape, strides, requires_grad)
        if dtype != torch.bool:
            return made
        if made.numel() and int(made.view(torch.uint8).max()) > 1:
            raise CorruptFileError("a truth value is neither 0 nor 1")  # native code would count on it
        return made.clone()  # numbers that lie in the same bytes would change it

    return Constructor(None, call, views=True)


def _parameter(kit: Kit) -> Constructor:
    def call(data: Any, requires_grad: Any) -> Any:
        checked(data, kit.torch.Tensor, "a tensor")
        kit.spend(_CALL)
        return rebuild_torch.parameter(data, checked(requires_grad, bool, "whether it has a gradient"))

    return Constructor(None, call, views=True)


def _set_attributes(kit: Kit) -> Constructor:
    """Attributes that tensors do not have by themselves: others would change what a tensor does."""
    torch = kit.torch

    def call(tensor: Any, attributes: Any) -> None:
        checked(tensor, (torch.Tensor, torch.nn.Parameter), "a tensor")
        kit.spend(_CALL * len(checked(attributes, dict, "attributes")))
        for name in checked_all(attributes, str, "the name of an attribute"):
            if not name.isidentifier() or name.startswith("_") or hasattr(kit.torch.Tensor, name):
                raise CorruptFileError(f"it sets the attribute {name[:40]!r} of a tensor")
        rebuild_torch.set_attributes(tensor, attributes)

    return Constructor(None, call, views=True)


def _dtype(name: str) -> Callable[[Kit], Constructor]:
    return lambda kit: Constructor(getattr(kit.torch, name))


_REBUILD = "lightwork.parcel.rebuild_torch"
FAMILY: Family = {
    Name(_REBUILD, "storage"): _storage,
    Name(_REBUILD, "tensor"): _tensor,
    Name(_REBUILD, "parameter"): _parameter,
    Name(_REBUILD, "set_attributes"): _set_attributes,
    **{Name("torch", name): _dtype(name) for name in _DTYPES},
}
