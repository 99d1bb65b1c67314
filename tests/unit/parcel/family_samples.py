"""Large values of every library, for whom nothing large may stay in the pickle."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import scipy.sparse

ROWS = 6000
TEXTS = [f"text {row}" for row in range(ROWS)]
GAPS = [None if row % 7 == 0 else float("nan") if row % 5 == 0 else TEXTS[row] for row in range(ROWS)]
COLOURS = [["red", "green", "blue"][row % 3] for row in range(ROWS)]
NUMBERS = np.arange(float(ROWS))


def _structured() -> Any:  # Any: numpy's types say nothing of fields
    return np.zeros(ROWS, [("a", "i4"), ("b", "f8")])


# Any: values of many types.
NUMPY: dict[str, Callable[[], Any]] = {
    "masked": lambda: np.ma.masked_greater(NUMBERS, 3),
    "masked, no mask": lambda: np.ma.masked_array(NUMBERS),
    "masked, fill value": lambda: np.ma.masked_array(NUMBERS, NUMBERS > 3, fill_value=7.0),
    "masked, Fortran": lambda: np.ma.masked_array(NUMBERS.reshape(2, -1).T, NUMBERS.reshape(2, -1).T > 3),
    "masked, structured": lambda: np.ma.masked_array(_structured(), mask=[(True, False)] * ROWS),
    "records": lambda: _structured().view(np.recarray),
    "matrix": lambda: NUMBERS.reshape(2, -1).view(np.matrix),
    "texts": lambda: np.array(TEXTS, object),
    "texts, Fortran": lambda: np.array(TEXTS, object).reshape(2, -1).T,
    "texts, strided": lambda: np.array([str(row) for row in range(2 * ROWS)], object)[::2],
    "texts, not ASCII": lambda: np.array([f"é€\ud800 {row} 🎉" for row in range(ROWS)], object),
    "texts with separators": lambda: np.array([f"a\0b\n{row}" for row in range(ROWS)], object),
    "texts and empty ones": lambda: np.array([str(row) if row % 3 else "" for row in range(ROWS)], object),
    "long texts": lambda: np.array([str(row) * (row % 300) for row in range(ROWS)], object),
    "variable texts": lambda: np.array(TEXTS, np.dtypes.StringDType()),
}
FRAMES: dict[str, Callable[[], Any]] = {
    "numbers": lambda: pd.DataFrame({"a": NUMBERS, "b": NUMBERS, "c": range(ROWS)}),
    "texts": lambda: pd.DataFrame({"a": TEXTS}),
    "texts of the library": lambda: pd.DataFrame({"a": pd.Series(GAPS, dtype="string")}),
    "texts in python": lambda: pd.DataFrame({"a": pd.Series(GAPS, dtype="string[python]")}),
    "texts in arrow": lambda: pd.DataFrame({"a": pd.Series(GAPS, dtype="string[pyarrow]")}),
    "objects": lambda: pd.DataFrame({"a": pd.Series(TEXTS, dtype=object)}),
    "text index": lambda: pd.DataFrame({"a": NUMBERS}, index=pd.Index(TEXTS, dtype=object)),
    "categories": lambda: pd.DataFrame({"a": pd.Categorical(COLOURS)}),
    "nullable": lambda: pd.DataFrame({"a": pd.Series(range(ROWS), dtype="Int64")}),
    "arrow": lambda: pd.DataFrame({"a": pd.Series(NUMBERS, dtype="double[pyarrow]")}),
    "dates": lambda: pd.DataFrame({"a": pd.date_range("2000", periods=ROWS, freq="h", tz="UTC")}),
    "sparse": lambda: pd.DataFrame({"a": pd.arrays.SparseArray(NUMBERS)}),
}
SPARSE: dict[str, Callable[[], Any]] = {
    kind: partial(scipy.sparse.random, 400, 400, 0.3, kind, random_state=0)
    for kind in ("csr", "csc", "coo", "bsr")
}
ARROW: dict[str, Callable[[], Any]] = {
    "numbers": lambda: pa.array(NUMBERS),
    "texts": lambda: pa.array(TEXTS),
    "slice": lambda: pa.array(TEXTS * 20)[5 : ROWS + 5],
    "views": lambda: pa.array([text * 5 for text in TEXTS], pa.string_view()),
    "slice of views": lambda: pa.array([text * 5 for text in TEXTS * 20], pa.string_view())[5:105],
    "gaps": lambda: pa.array(GAPS, from_pandas=True)[3:],
    "lists": lambda: pa.array([[row, 1] for row in range(ROWS)])[1:],
    "structs": lambda: pa.array([{"a": row, "b": str(row)} for row in range(ROWS)])[:100],
    "dictionary": lambda: pa.array(COLOURS).dictionary_encode(),
    "chunked": lambda: pa.chunked_array([TEXTS, COLOURS]),
    "table": lambda: pa.table({"a": TEXTS, "b": NUMBERS})[7:],
    "batch": lambda: pa.record_batch({"a": TEXTS, "b": NUMBERS}),
}
POLARS: dict[str, Callable[[], Any]] = {
    "frame": lambda: pl.DataFrame({"a": TEXTS, "b": NUMBERS}),
    "frame of chunks": lambda: pl.concat(
        [pl.DataFrame({"a": TEXTS}), pl.DataFrame({"a": COLOURS})], rechunk=False
    ),
    "series": lambda: pl.Series("x", np.arange(20_000.0)),
    "series without a name": lambda: pl.Series(TEXTS * 3),
    "slice": lambda: pl.Series([text * 5 for text in TEXTS * 20])[5:10_000],
    "categories": lambda: pl.Series("x", COLOURS * 9, dtype=pl.Categorical),
    "enum": lambda: pl.Series("x", COLOURS * 20, dtype=pl.Enum(["red", "green", "blue", "white"])),
    "lists": lambda: pl.Series("x", [[row, 1] for row in range(ROWS)]),
    "dates": lambda: pl.Series("x", range(ROWS * 2)).cast(pl.Datetime("us", "UTC")),
    "gaps": lambda: pl.Series("x", [None if row % 3 else row for row in range(ROWS * 2)]),
}
