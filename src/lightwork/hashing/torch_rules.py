"""Rules for torch: tensors by type, shape and elements, modules by what they hold.

Storages, views, devices and the numbers that torch gives to hooks leave no trace.
"""

from collections.abc import Mapping
from typing import Any

from .. import arrays
from .names import public_name
from .objects import without_kept_hash
from .walk import NotHashable, Rule, Walk

__all__ = ["RULES"]

# Any: torch is optional, its types have no name here.


def _tensor(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_tensor)


def _encode_tensor(walk: Walk, value: Any) -> bytes:
    """A tensor: class, number type, shape, whether it wants gradients, elements; what a subclass adds."""
    try:
        content = _content(value)
    except (TypeError, RuntimeError, NotImplementedError) as exc:
        raise NotHashable(value, str(exc)) from exc
    kind = type(value)
    own = None if kind.__module__.partition(".")[0] == "torch" else vars(value)
    head = (public_name(kind), str(value.dtype), tuple(value.shape), bool(value.requires_grad))
    return walk.facts("tensor", *head, content, own)


def _content(value: Any) -> Any:
    layout = str(value.layout)
    if layout == "torch.sparse_coo":
        value = value.detach().coalesce()
        return (layout, value.indices(), value.values())
    if layout in ("torch.sparse_csr", "torch.sparse_bsr"):
        value = value.detach()
        return (layout, value.crow_indices(), value.col_indices(), value.values())
    if layout in ("torch.sparse_csc", "torch.sparse_bsc"):
        value = value.detach()
        return (layout, value.ccol_indices(), value.row_indices(), value.values())
    if value.is_quantized:
        return (str(value.qscheme()), _scales(value), arrays.torch.as_array(value.int_repr()))
    return arrays.torch.as_array(value)


def _scales(value: Any) -> Any:
    if "per_channel" in str(value.qscheme()):
        return (value.q_per_channel_scales(), value.q_per_channel_zero_points(), value.q_per_channel_axis())
    return (value.q_scale(), value.q_zero_point())


def _module(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_module)


def _encode_module(walk: Walk, value: Any) -> bytes:
    """A module: class, parameters, buffers, parts in their order, hooks in theirs, all other attributes.

    Tables of hooks that are empty do not count, since each release of torch has others.
    """
    try:
        state = value.__getstate__()
    except (TypeError, RuntimeError, AttributeError) as exc:
        raise NotHashable(value, str(exc)) from exc
    if not isinstance(state, Mapping):
        return walk.facts("module", type(value), state)
    places = _hook_places(state)
    told: dict[str, Any] = {}
    for name, held in without_kept_hash(type(value), dict(state)).items():
        if name == "_modules":
            told[name] = list(held.items())
        elif name in ("_parameters", "_buffers"):
            told[name] = dict(held)
        elif not _holds_hooks(name, held):
            told[name] = held
        elif held:
            told[name] = {places[number]: hook for number, hook in held.items()}
    return walk.facts("module", type(value), told)


def _holds_hooks(name: str, held: Any) -> bool:
    return name.startswith("_") and "hooks" in name and isinstance(held, Mapping)


def _hook_places(state: Mapping[str, Any]) -> dict[int, int]:
    """The numbers of hooks, which torch counts up in a process, as their order in this module."""
    tables = [held for name, held in state.items() if _holds_hooks(name, held)]
    return {
        number: place for place, number in enumerate(sorted({number for held in tables for number in held}))
    }


def _generator(walk: Walk, value: Any) -> bytes:
    return walk.part(value, lambda walk, v: walk.facts("torch generator", str(v.device), v.get_state()))


def _name(walk: Walk, value: Any) -> bytes:
    """Number types, layouts, memory formats: by what they are called."""
    return walk.seal(walk.facts("torch name", str(value)))


RULES: dict[str, Rule] = {
    "torch:Tensor": _tensor,
    "torch:TensorBase": _tensor,
    "torch:Module": _module,
    "torch:Generator": _generator,
    "torch:dtype": _name,
    "torch:layout": _name,
    "torch:memory_format": _name,
    "torch:device": _name,
}
"""By top-level package and qualified name, looked for along the bases of a type."""
