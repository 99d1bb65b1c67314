"""Reads mutated files, one after another, in a process with little memory and a watchdog.

``python -m tests.torture.fuzz_reading KIND FIRST COUNT FOLDER``: the cases of a kind are numbered, so that
each can be repeated alone. The file at hand lies in FOLDER while it is read, in case the process dies of it.
"""

import faulthandler
import importlib.util
import os
import random
import resource
import signal
import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import scipy.sparse as sp

from lightwork import dumps, inspect, loads
from lightwork.errors import FileFormatError
from lightwork.parcel.parcels import split
from tests.property.mutations import Seed, damaged_file, mutated_container, mutated_seed
from tests.unit.persistence.safe_samples import SAMPLES

torch: Any = importlib.import_module("torch") if importlib.util.find_spec("torch") else None
_MEMORY = 2 << 30  # bytes beyond what the process has when it begins
_SECONDS = 20  # for one file
_SMALL = 60_000  # bytes of a file
_SEED = 400_000


def seeds() -> list[Seed]:
    """The samples, and all of them in one."""
    tensors = [] if torch is None else [torch.arange(6.0).reshape(2, 3).T, _state()]
    small = [value for name, value in SAMPLES.items() if not name.startswith("large")]
    made = [
        Seed(parcel.skeleton, tuple(map(bytes, parcel.buffers)))
        for parcel in map(split, [*SAMPLES.values(), *tensors, small])
    ]
    return [seed for seed in made if len(seed.skeleton) + sum(map(len, seed.buffers)) < _SEED]


def _state() -> Any:  # Any: a dict of tensors, if torch is installed
    model = torch.nn.BatchNorm1d(5)
    model.weight.origin = "here"
    return [model.state_dict(), *model.parameters(), torch.tensor([True, False])]


def files() -> list[bytes]:
    """Small containers, raw and compressed."""
    values = [value for name, value in SAMPLES.items() if "large" not in name and name != "arrays: Fortran"]
    made = [dumps(value, compress) for value in values for compress in (0, True, "zlib", "lzma")]
    made += [dumps(np.arange(5000) % 9, compress) for compress in (0, True, "bz2", "lzma")]
    return [data for data in made if len(data) < _SMALL]


def read(data: bytes) -> None:
    """Read a file of a stranger in all ways; only our own errors may come out."""
    try:
        value = loads(data, safe=True)
    except FileFormatError:
        return
    try:
        use(value, 0)
    except (Exception, pl.exceptions.PanicException):  # noqa: BLE001 - sums of texts and the like; what matters is that the process lives
        return


def use(value: Any, depth: int) -> None:  # Any: whatever a file holds
    """Go where native code goes: if the value is not sound, the process dies here."""
    if depth > 5:
        return
    if type(value) in (list, tuple, set, frozenset):
        for item in value:
            use(item, depth + 1)
    elif isinstance(value, dict):
        for item in value.values():
            use(item, depth + 1)
    elif isinstance(value, np.ndarray) and value.nbytes < 1 << 20:
        value.tobytes()
        value.copy()
        if not value.dtype.hasobject and value.size < 1000:
            value.tolist()
    elif sp.issparse(value) and max(value.shape) < 1000:
        value.sum()
        value.toarray()
    elif torch is not None and isinstance(value, torch.Tensor):
        if value.numel() < 1 << 20:
            repr(value)
            value.detach().clone()
    elif isinstance(value, pa.Array | pa.ChunkedArray | pa.Table | pa.RecordBatch):
        value.validate(full=True)
        repr(value)
        pa.table({"a": value}).slice(1).to_batches() if isinstance(value, pa.Array) else value.slice(1)
        if len(value) < 10_000:
            value.to_pylist()
    elif isinstance(value, pl.DataFrame | pl.Series):
        repr(value)
        value.head(5_000).reverse().rows() if isinstance(value, pl.DataFrame) else value.to_list()
    elif isinstance(value, pd.DataFrame | pd.Series | pd.Index) and len(value) < 1000:
        repr(value)
        value.copy()


def inspected(data: bytes, folder: str) -> None:
    """`inspect` gives an answer or one of our errors."""
    path = os.path.join(folder, "inspected")
    with open(path, "wb") as file:
        file.write(data)
    try:
        str(inspect(path))
    except FileFormatError:
        pass  # this is what it should do


def limit() -> None:
    """Little memory, and an end to every case that hangs."""
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + _MEMORY, used + _MEMORY))
    faulthandler.enable()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


def run(kind: str, first: int, count: int, folder: str) -> None:
    """The cases ``first`` to ``first + count - 1``."""
    known_seeds, known_files = (seeds(), []) if kind == "skeleton" else ([], files())
    limit()
    case = os.path.join(folder, f"case-{kind}-{first}")
    for number in range(first, first + count):
        chance = random.Random(f"{kind}{number}")
        if kind == "skeleton":
            data = mutated_seed(known_seeds, chance)
        elif kind == "container":
            data = mutated_container(chance.choice(known_files), chance)
        else:
            data = damaged_file(chance.choice(known_files), chance)
        with open(case, "wb") as file:
            file.write(data)
        signal.alarm(_SECONDS)
        read(data)
        if kind != "skeleton":
            inspected(data, folder)
        signal.alarm(0)
    os.unlink(case)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
