"""Tensors, parameters and storages of torch.

torch's own way writes the whole storage of each tensor into the pickle, once per tensor. Here a storage is
an object of the pickle, met once, however many tensors lie in it: so tied weights and views stay shared, and
a view takes the whole of its storage along, as with ``torch.save``. The bytes of a storage are those of a
numpy array. A model or a ``state_dict`` consists of tensors.
"""

from collections.abc import Callable
from typing import Any

from ...system.optional import loaded
from ..rebuild_torch import parameter, set_attributes, storage, tensor

__all__ = ["find"]


# Any: values of a library that may not be installed.
def find(kind: type) -> Callable[[Any], tuple[Any, ...]] | None:
    """The reducer of a type of torch."""
    torch = loaded("torch")
    if loaded("numpy") is None:
        return None  # torch without numpy
    reducers: dict[Any, Callable[[Any], tuple[Any, ...]]] = {
        torch.Tensor: _reduce_tensor,
        torch.nn.Parameter: _reduce_parameter,
        torch.UntypedStorage: _reduce_storage,
    }
    return reducers.get(kind)


def _reduce_tensor(value: Any) -> tuple[Any, ...]:
    if not _is_plain(value):
        own: tuple[Any, ...] = value.__reduce_ex__(5)
        return own
    layout = value.storage_offset(), tuple(value.shape), value.stride()
    made_of = value.untyped_storage(), value.dtype, *layout, value.requires_grad
    return tensor, made_of, *_attributes(value)


def _reduce_parameter(value: Any) -> tuple[Any, ...]:
    if not _is_plain(value):
        own: tuple[Any, ...] = value.__reduce_ex__(5)
        return own
    return parameter, (value.detach(), value.requires_grad), *_attributes(value)


def _attributes(value: Any) -> tuple[Any, ...]:
    """How the attributes that somebody gave a tensor are set again."""
    return (dict(value.__dict__), None, None, set_attributes) if value.__dict__ else ()


def _is_plain(value: Any) -> bool:
    """Whether a tensor is what its storage, dtype and strides say, and nothing besides."""
    special = value.is_quantized or value.is_meta or value.is_conj() or value.is_neg() or value.is_nested
    return value.layout is loaded("torch").strided and not special


def _reduce_storage(value: Any) -> tuple[Any, ...]:
    """As an array of numpy; of 4-byte items if possible, since the byte shuffle goes by them."""
    torch = loaded("torch")
    here = value.cpu()
    array = torch.empty(0, dtype=torch.uint8, device="cpu").set_(here).numpy()
    array = array.view("u4") if array.size % 4 == 0 else array
    return storage, (array, str(value.device))
