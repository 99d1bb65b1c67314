"""What skeletons call to build tensors again. The names are part of the file format: never move them."""

from typing import Any

from ..system.optional import require

__all__ = ["parameter", "set_attributes", "storage", "tensor"]


# Any: values of a library that may not be installed.
def storage(array: Any, device: str) -> Any:
    """A ``torch.UntypedStorage`` with the bytes of a numpy array, which it shares if it can.

    It is on `device` if this machine has one of that name, else on the CPU. torch knows no read-only memory:
    bytes that may not be written to are copied.
    """
    torch = _torch()
    content = array.reshape(-1).view("u1")
    if not content.flags.writeable:
        content = content.copy()
    made = torch.from_numpy(content).untyped_storage()
    return made if device == "cpu" or not _is_here(torch.device(device)) else made.to(device=device)


def tensor(
    storage: Any,
    dtype: Any,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    requires_grad: bool,
) -> Any:
    """A tensor that lies in a storage. `offset` and `strides` count items."""
    made = _torch().empty(0, dtype=dtype, device=storage.device).set_(storage, offset, shape, strides)
    return made.requires_grad_() if requires_grad else made


def parameter(data: Any, requires_grad: bool) -> Any:
    """A ``torch.nn.Parameter`` with the memory of a tensor."""
    return _torch().nn.Parameter(data, requires_grad)


def set_attributes(tensor: Any, attributes: dict[str, Any]) -> None:
    """Give a tensor the attributes that its user had given it."""
    tensor.__dict__.update(attributes)


def _torch() -> Any:
    return require("torch", purpose="a value that holds tensors", extra="torch")


def _is_here(device: Any) -> bool:
    backend = getattr(_torch(), device.type, None)
    if backend is None or not hasattr(backend, "is_available") or not backend.is_available():
        return False
    return bool((device.index or 0) < backend.device_count())
