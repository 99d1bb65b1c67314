"""How much memory hashing a value of 100 MB takes beside it, as JSON; run with the name of a family."""

import array
import json
import mmap
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lightwork.hashing import hash as key_of

SIZE = 100 << 20


def standard(size: int) -> dict[str, Callable[[], Any]]:
    """Values of `size` bytes that Python and numpy have."""
    return {
        "ascii text": lambda: "x" * size,
        "text": lambda: "é" * (size // 2),
        "bytes": lambda: b"x" * size,
        "bytearray": lambda: bytearray(b"x") * size,
        "array": lambda: array.array("d", bytes(8)) * (size // 8),
        "strided view": lambda: memoryview(bytearray(b"x") * size)[::2],
        "backward view": lambda: memoryview(bytearray(b"x") * size)[::-1],
        "view in F order": lambda: np.ones((64, size // 64), "u1", order="F").data,
        "map": lambda: mapped(size),
        "rows backward": lambda: np.ones((size // 512, 64))[::-1, ::-1],
        "every second column": lambda: np.ones((size // 512, 64))[:, ::2],
        "F order": lambda: np.ones((size // 512, 64), order="F"),
        "structures": lambda: np.ones(size // 16, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
        "dates": lambda: np.ones(size // 8, "i8").view("M8[s]")[::-1],
    }


def mapped(size: int) -> mmap.mmap:
    """Memory that is there already, so that reading it adds nothing."""
    made = mmap.mmap(-1, size)
    made.write(b"x" * size)
    return made


def framed(size: int) -> dict[str, Callable[[], Any]]:
    """Frames and columns of `size` bytes."""
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from scipy import sparse

    numbers = np.arange(size // 8, dtype="f8")
    nulls = np.arange(size // 8) % 3 == 0
    texts = pa.array(np.arange(size // 16)).cast(pa.large_string())
    return {
        "frame": lambda: pd.DataFrame(np.ones((size // 512, 64))),
        "column": lambda: pd.Series(numbers),
        "arrow": lambda: pa.array(numbers),
        "arrow with nulls": lambda: pa.array(numbers, mask=nulls),
        "arrow slice": lambda: pa.table({"a": numbers, "b": numbers})[5:-5],
        "arrow texts": lambda: texts,
        "arrow lists": lambda: pa.FixedSizeListArray.from_arrays(pa.array(numbers), 4),
        "arrow truths": lambda: pa.array(np.ones(size, bool)),
        "polars": lambda: pl.DataFrame({"a": numbers}),
        "polars texts": lambda: pl.Series(texts),
        "sparse": lambda: sparse.csr_array((numbers, np.arange(len(numbers), dtype="i4"), [0, len(numbers)])),
    }


def tensors(size: int) -> dict[str, Callable[[], Any]]:
    """Tensors of `size` bytes."""
    import torch

    return {
        "tensor": lambda: torch.ones(size // 4),
        "transposed tensor": lambda: torch.ones(64, size // 256).T,
        "strided tensor": lambda: torch.ones(size // 512, 64, 4)[:, ::2],
        "bfloat16": lambda: torch.ones(64, size // 128, dtype=torch.bfloat16).T,
    }


def _extra(value: Any) -> int:
    """How far (bytes) memory grows while a value is hashed."""
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins anew
    before = _status("VmRSS")
    key_of(value)
    return _status("VmHWM") - before


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name + ":"))


def main(family: str) -> None:
    values = {"standard": standard, "framed": framed, "tensors": tensors}[family]
    for make in values(1 << 20).values():
        key_of(make())  # what is loaded on first use does not count
    print(json.dumps({name: _extra(make()) for name, make in values(SIZE).items()}))


if __name__ == "__main__":
    main(sys.argv[1])
