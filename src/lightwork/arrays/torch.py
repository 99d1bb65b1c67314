"""The bytes of torch tensors, as numpy arrays that share them: strides and all, so that nothing is copied."""

from typing import Any

from ..system.optional import loaded, require

__all__ = ["as_array"]

# Any: torch is optional, its types have no name here.


def as_array(tensor: Any) -> Any:
    """A dense tensor as a numpy array of its shape, on the CPU.

    Numbers that numpy does not know (``bfloat16``, ...) come as integers of their size. Tensors of other
    devices, and those whose conjugation or sign is still to be carried out, are copied.

    Raises
    ------
    TypeError, RuntimeError
        torch cannot show the content: there is none (``meta``), or it is not in one place.
    """
    numpy = require("numpy", purpose="the content of a torch tensor", extra="numpy")
    tensor = tensor.detach().cpu().resolve_conj().resolve_neg()
    try:
        return tensor.numpy()
    except TypeError:
        whole = getattr(loaded("torch"), f"int{8 * tensor.element_size()}")
        array = tensor.view(whole).numpy()
        return array.view(numpy.dtype(f"i{tensor.element_size()}"))
