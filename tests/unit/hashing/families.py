"""One or two values of each library family, for the keys that must hold in every process and release."""

import array
import importlib.util
import zoneinfo
from collections.abc import Callable
from datetime import datetime
from fractions import Fraction
from typing import Any

import attrs
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pydantic
import xarray as xr
from scipy import sparse, spatial
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression

from lightwork.hashing import hash as key_of


class Model(pydantic.BaseModel):
    x: int = 1
    tags: set[str] = set()


@attrs.frozen(cache_hash=True)
class Record:
    x: int
    tags: frozenset[str] = frozenset()


def _frame() -> pd.DataFrame:
    """Types are spelled out, since their defaults change between releases of pandas."""
    columns = {
        "int": pd.Series([1, 2, 3], dtype="i8"),
        "text": pd.Series(["a", "b", None], dtype=pd.StringDtype("python")),
        "date": pd.Series(np.array(["2020-01-01", "2020-01-02", "NaT"], "M8[ns]")),
        "zoned": pd.Series(np.array([1, 2, 3], "M8[s]")).dt.tz_localize("UTC"),
        "nullable": pd.array([1, None, 3], "Int64"),
        "category": pd.Categorical([1, 2, 1]),
        "sparse": pd.arrays.SparseArray([0, 0, 1]),
    }
    return pd.DataFrame(columns, columns=pd.Index(list(columns), dtype=object))


DENSE = np.array([[0, 1.0, 0], [2, 0, 3]])
ROWS: list[Any] = [{"a": 1, "b": ["x", None]}, None, {"a": None, "b": []}]

FAMILIES: dict[str, Callable[[], Any]] = {
    "array": lambda: array.array("d", [1, 2]),
    "fraction": lambda: Fraction(1, 3),
    "zone": lambda: datetime(2020, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Paris")),
    "generator": lambda: np.random.default_rng(5),
    "random state": lambda: np.random.RandomState(5),
    "seeds": lambda: np.random.SeedSequence(5).spawn(2)[1],
    "masked": lambda: np.ma.MaskedArray(np.array([1, 2], "i8"), [True, False]),
    "ufunc": lambda: np.sin,
    "frame": _frame,
    "index": lambda: pd.MultiIndex.from_arrays([np.array([1, 2]), np.array([2, 3])], names=["a", "b"]),
    "timestamp": lambda: pd.Timestamp("2020-01-01", tz="UTC").as_unit("ns"),
    "csr": lambda: sparse.csr_array(DENSE),
    "coo": lambda: sparse.coo_array(DENSE),
    "dia": lambda: sparse.dia_array(DENSE),
    "tree": lambda: spatial.KDTree(DENSE),
    "arrow": lambda: pa.array(ROWS),
    "arrow table": lambda: pa.table({"a": [1, None], "b": pa.array(["x", "y"]).dictionary_encode()}),
    "arrow schema": lambda: pa.schema([pa.field("a", pa.list_(pa.int8()), metadata={"k": "v"})]),
    "polars": lambda: pl.DataFrame({"a": [1, None], "b": ["x", None], "c": [[1], []], "d": [{"a": 1}, None]}),
    "polars types": lambda: [pl.Int8, pl.List(pl.Int8), pl.Datetime("us", "UTC"), pl.Enum(["a", "b"])],
    "xarray": lambda: xr.Dataset({"a": (("x", "y"), DENSE)}, {"x": np.array([1, 2], "i8")}, {"unit": "m"}),
    "model": lambda: Model(tags={"a", "b", "c"}),
    "record": lambda: Record(1, frozenset("abc")),
    "estimator": lambda: LinearRegression(),
}
"""Values whose keys are pinned."""


def _tensors() -> dict[str, Callable[[], Any]]:
    import torch

    layer = {"weight": torch.ones(2, 2), "bias": torch.zeros(2)}
    return {
        "tensor": lambda: torch.arange(6.0).reshape(2, 3),
        "bfloat16": lambda: torch.arange(6).bfloat16(),
        "parameter": lambda: torch.nn.Parameter(torch.ones(2)),
        "state dict": lambda: _loaded(torch.nn.Linear(2, 2), layer).state_dict(),
        "module": lambda: torch.nn.Sequential(_loaded(torch.nn.Linear(2, 2), layer), torch.nn.ReLU()),
        "torch generator": lambda: torch.Generator().manual_seed(5),
    }


def _loaded(module: Any, state: dict[str, Any]) -> Any:
    module.load_state_dict(state)
    return module


TENSORS = _tensors() if importlib.util.find_spec("torch") else {}

LATER: dict[str, Callable[[], Any]] = {
    "vectorizer": lambda: CountVectorizer(stop_words=["bb"]).fit(["aa bb cc dd", "cc ee"]),
    "plan": lambda: pl.DataFrame({"a": [1]}).lazy().filter(pl.col("a") > 0),
    "objects": lambda: pd.Series([{"a", "b"}, {"c"}], dtype=object),
}
"""Values whose keys hold in every process, and may change with a release of their library."""


def keys() -> dict[str, str]:
    """All keys by name."""
    return {name: key_of(make()) for name, make in {**FAMILIES, **TENSORS, **LATER}.items()}
