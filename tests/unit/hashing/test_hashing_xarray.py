"""xarray: dimensions, values, coordinates and attributes."""

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from lightwork.hashing import hash as key_of
from tests.unit.hashing.keys import assert_apart, assert_copies_agree, assert_one_key


def data() -> xr.Dataset:
    """Two variables, three coordinates of which two are indexes."""
    return xr.Dataset(
        {"a": (("x", "y"), np.arange(6.0).reshape(2, 3), {"unit": "m"}), "b": ("y", ["u", "v", "w"])},
        coords={"x": [10, 20], "y": pd.date_range("2020", periods=3), "z": ("x", [1.5, 2.5])},
        attrs={"title": "t"},
    )


def test_equal_data_have_one_key() -> None:
    """Copies, another order of entries, encodings and caches leave no trace."""
    one, two = data(), data()[["b", "a"]]
    two["a"].encoding = {"dtype": "f4"}
    two.encoding = {"source": "somewhere"}
    assert repr(two.a.sel(x=10).mean())
    two = two.assign_coords(z=two.z)
    assert one.identical(two)
    assert_copies_agree(data)
    assert_one_key([one, two, one.isel(x=slice(None)), one.transpose("y", "x").transpose("x", "y")])
    assert_copies_agree(lambda: data().a)
    assert_copies_agree(lambda: data().a.variable)
    stacked = data().stack(both=("x", "y"))
    assert_one_key([stacked, copy.deepcopy(stacked), data().stack(both=("x", "y"))])


def test_different_data_are_apart() -> None:
    """Names, the order of dimensions, values, number types, coordinates, indexes, attributes."""
    one = data()
    more = one.copy(deep=True)
    more["a"][0, 0] = 7
    titled = one.assign_attrs(title="u")
    unit = one.copy(deep=True)
    unit["a"].attrs["unit"] = "km"
    assert_apart(
        [
            one,
            more,
            titled,
            unit,
            one.transpose("y", "x"),
            one.drop_vars("b"),
            one.rename(a="c"),
            one.rename(x="c"),
            one.drop_indexes("x"),
            one.reset_coords("z"),
            one.assign_coords(x=[10, 30]),
            one.a,
            one.a.T,
            one.a.rename("c"),
            one.a.astype("f4"),
            one.a.variable,
            one.x,
            one.x.variable,
            xr.Dataset(),
            xr.DataArray(1),
        ]
    )


def test_trees_of_data() -> None:
    """Nodes by name, whatever their order."""
    if not hasattr(xr, "DataTree"):
        return
    one = xr.DataTree.from_dict({"/a": data(), "/b": xr.Dataset()})
    two = xr.DataTree.from_dict({"/b": xr.Dataset(), "/a": data()})
    assert_one_key([one, two])
    assert_apart([one, one["a"], xr.DataTree.from_dict({"/a": data()})])


def test_values_of_files_count(tmp_path: Path) -> None:
    """What is mapped from a file and what is in memory are one value."""
    array = np.memmap(tmp_path / "a", "f8", mode="w+", shape=(3, 4))
    array[:] = 2
    assert key_of(xr.DataArray(array, dims=("x", "y"))) == key_of(
        xr.DataArray(np.full((3, 4), 2.0), dims=("x", "y"))
    )
