"""Rules for xarray: variables by dimensions, values and attributes.

Caches, encodings (how a file was or will be written) and the order of a data set's entries do not count.
"""

from typing import Any

from .names import public_name
from .walk import Rule, Walk

__all__ = ["RULES"]

# Any: xarray is optional, its types have no name here.


def _variable(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_variable)


def _encode_variable(walk: Walk, value: Any) -> bytes:
    """A variable on its own."""
    return walk.facts("xarray variable", public_name(type(value)), _told(value))


def _array(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_array)


def _encode_array(walk: Walk, value: Any) -> bytes:
    return walk.facts(
        "xarray array", public_name(type(value)), value.name, _told(value.variable), _coordinates(value)
    )


def _set(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_set)


def _encode_set(walk: Walk, value: Any) -> bytes:
    variables = {name: _told(held.variable) for name, held in value.data_vars.items()}
    return walk.facts(
        "xarray set", public_name(type(value)), variables, _coordinates(value), dict(value.attrs)
    )


def _coordinates(value: Any) -> Any:
    """Coordinates by name, and which of them are indexes, by their kinds."""
    told = {name: _told(held.variable) for name, held in value.coords.items()}
    return (told, {name: type(index).__name__ for name, index in value.xindexes.items()})


def _told(variable: Any) -> tuple[Any, ...]:
    return (tuple(variable.dims), _values(variable), dict(variable.attrs))


def _values(variable: Any) -> Any:
    """The values: as they are if they are not numpy's (``dask``, ``sparse``); files are read."""
    data = variable.data
    return data if hasattr(data, "__array_function__") else variable.values


def _tree(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_tree)


def _encode_tree(walk: Walk, value: Any) -> bytes:
    """A tree of data sets: its own one, and those below by name."""
    return walk.facts(
        "xarray tree", public_name(type(value)), value.name, value.to_dataset(), dict(value.children)
    )


RULES: dict[str, Rule] = {
    "xarray:Variable": _variable,
    "xarray:DataArray": _array,
    "xarray:Dataset": _set,
    "xarray:DataTree": _tree,
}
"""By top-level package and qualified name, looked for along the bases of a type."""
