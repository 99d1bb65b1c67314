"""Keeping values in files: the dump and load rows of the target table.

Every side does the same work: lightwork writes with fsync and rename and verifies what it reads; where a peer
syncs nothing by itself, the row says so in its note.
"""

import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from families import cases as family_cases
from families import peer, pickle_dump, pickle_load
from harness import Case, Side

import lightwork

_RECORDS = 200_000
_SMALL_ARRAYS = 20_000
_MEGABYTES = 100
_ITEMS = _MEGABYTES * 1_000_000 // 8
_LIMIT = (
    "what holds it, doubles over two threads: zstd alone 51 ms, unshuffle alone 44, hardly faster than with "
    "one: steps of 0.1 ms, between which each thread waits for the interpreter"
)


_joblib, _blosc2 = peer("joblib"), peer("blosc2")


def _side(run: Callable[[], object] | None) -> Side | None:
    return None if run is None else Side(run)


def _write_synced(content: Any, path: Path) -> None:
    with open(path, "wb", buffering=0) as file:
        file.write(content)
        os.fsync(file.fileno())


def _read(path: Path, nbytes: int) -> object:
    out = np.empty(nbytes, "u1")
    with open(path, "rb", buffering=0) as file:
        file.readinto(memoryview(out))
    return out


def _prepare(value: object, ours: Path, theirs: Path, *, compress: bool = False) -> None:
    """Write the files that are read, so that each row can be measured without the one before."""
    lightwork.dump(value, ours, compress=compress)
    if _joblib:
        _joblib.dump(value, theirs, compress=3 if compress else 0)


def _objects(name: str, value: object, scratch: Path, dump_limit: float, load_limit: float) -> Iterator[Case]:
    ours, theirs, plain = scratch / "x.lw", scratch / "x.joblib", scratch / "x.pickle"
    _prepare(value, ours, theirs)
    pickle_dump(value, plain)
    yield Case(
        f"dump {name}",
        {
            "lightwork": Side(lambda: lightwork.dump(value, ours)),
            "joblib": _side(_joblib and (lambda: _joblib.dump(value, theirs))),
            "pickle 5": Side(lambda: pickle_dump(value, plain)),
        },
        target=f"≤ {dump_limit} × pickle 5",
        met=lambda m: m["lightwork"] <= dump_limit * m["pickle 5"],
        note="to a file; lightwork alone syncs and renames it",
    )
    yield Case(
        f"dump {name}, in memory",
        {
            "lightwork": Side(lambda: lightwork.dumps(value)),
            "pickle 5": Side(lambda: pickle.dumps(value, 5)),
        },
        target=f"≤ {dump_limit} × pickle 5",
        met=lambda m: m["lightwork"] <= dump_limit * m["pickle 5"],
    )
    yield Case(
        f"load {name}",
        {
            "lightwork": Side(lambda: lightwork.load(ours)),
            "joblib": _side(_joblib and (lambda: _joblib.load(theirs))),
            "pickle 5": Side(lambda: pickle_load(plain)),
        },
        target=f"≤ {load_limit} × pickle 5",
        met=lambda m: m["lightwork"] <= load_limit * m["pickle 5"],
        note="lightwork alone verifies checksums",
    )


def _large(scratch: Path) -> Iterator[Case]:
    array = np.random.default_rng(0).random(_ITEMS)
    content = memoryview(array).cast("B")
    ours, theirs, plain = scratch / "x.lw", scratch / "x.joblib", scratch / "x.raw"
    numpys = scratch / "x.npy"
    _prepare(array, ours, theirs)
    _write_synced(content, plain)
    np.save(numpys, array)
    yield Case(
        f"dump {_MEGABYTES} MB",
        {
            "lightwork": Side(lambda: lightwork.dump(array, ours)),
            "joblib": _side(_joblib and (lambda: _joblib.dump(array, theirs))),
            "numpy": Side(lambda: np.save(numpys, array)),
            "yardstick: write + fsync": Side(lambda: _write_synced(content, plain)),
        },
        target="≤ 1.1 × write + fsync",
        met=lambda m: m["lightwork"] <= 1.1 * m["yardstick: write + fsync"],
        note="joblib and numpy sync nothing",
    )
    yield Case(
        f"load {_MEGABYTES} MB, verified",
        {
            "lightwork": Side(lambda: lightwork.load(ours)),
            "joblib": _side(_joblib and (lambda: _joblib.load(theirs))),
            "numpy": Side(lambda: np.load(numpys)),
            "yardstick: read": Side(lambda: _read(plain, content.nbytes)),
        },
        target="≤ 1.1 × read",
        met=lambda m: m["lightwork"] <= 1.1 * m["yardstick: read"],
        note="joblib and numpy verify nothing",
    )
    yield Case(
        f"map {_MEGABYTES} MB, private",
        {
            "lightwork": Side(lambda: lightwork.load(ours, mmap_mode="c")),
            "joblib": _side(_joblib and (lambda: _joblib.load(theirs, mmap_mode="c"))),
            "numpy": Side(lambda: np.load(numpys, mmap_mode="c")),
        },
    )


def _compressed(name: str, array: Any, scratch: Path, rates: tuple[float, float]) -> Iterator[Case]:
    ours, theirs, blosc = scratch / "x.lw", scratch / "x.joblib", scratch / "x.b2"
    _prepare(array, ours, theirs, compress=True)
    if _blosc2:
        _write_synced(_blosc2.pack_array2(array), blosc)
    ratio = array.nbytes / ours.stat().st_size
    gigabytes = array.nbytes / 1e9
    yield Case(
        f"dump {_MEGABYTES} MB of {name}, compressed",
        {
            "lightwork": Side(lambda: lightwork.dump(array, ours, compress=True)),
            "joblib": _side(_joblib and (lambda: _joblib.dump(array, theirs, compress=3))),
            "blosc2": _side(_blosc2 and (lambda: _write_synced(_blosc2.pack_array2(array), blosc))),
        },
        target=f"≥ {rates[0]} GB/s",
        met=lambda m: gigabytes / m["lightwork"] >= rates[0],
        note=f"to a file, synced but for joblib; our ratio {ratio:.2f}",
        rounds=5,
    )
    yield Case(
        f"load {_MEGABYTES} MB of {name}, compressed",
        {
            "lightwork": Side(lambda: lightwork.load(ours)),
            "joblib": _side(_joblib and (lambda: _joblib.load(theirs))),
            "blosc2": _side(_blosc2 and (lambda: _blosc2.unpack_array2(blosc.read_bytes()))),
        },
        target=f"≥ {rates[1]} GB/s",
        met=lambda m: gigabytes / m["lightwork"] >= rates[1],
        note=f"lightwork alone verifies checksums; {_LIMIT}",
        rounds=5,
    )


def _parts(array: Any, scratch: Path) -> Iterator[Case]:
    """A megabyte out of the middle, the file being opened anew."""
    ours, theirs, blosc = scratch / "x.lw", scratch / "x.joblib", scratch / "x.b2"
    _prepare({"x": array}, ours, theirs, compress=True)
    if _blosc2:
        _blosc2.asarray(array, urlpath=str(blosc), mode="w")
    rows = slice(len(array) // 2, len(array) // 2 + 1_000_000 // 8)
    yield Case(
        f"read 1 MB out of {_MEGABYTES} MB of integers, compressed",
        {
            "lightwork": Side(lambda: lightwork.open(ours)["x"][rows]),
            "lightwork, all of it": Side(lambda: lightwork.load(ours)["x"][rows]),
            "joblib": _side(_joblib and (lambda: _joblib.load(theirs)["x"][rows])),
            "blosc2": _side(_blosc2 and (lambda: _blosc2.open(str(blosc))[rows])),
        },
        note="joblib cannot but load all of it; lightwork alone verifies checksums",
    )


def cases(scratch: Path) -> Iterator[Case]:
    chance = np.random.default_rng(0)
    records = [{"id": number, "name": f"n{number}", "value": number * 0.5} for number in range(_RECORDS)]
    yield from _objects("200,000 small dicts", records, scratch, 1.15, 1.15)
    del records
    arrays = [chance.random(int(length)) for length in chance.integers(5, 200, _SMALL_ARRAYS)]
    yield from _objects("20,000 small arrays", arrays, scratch, 0.7, 0.35)
    del arrays
    yield from _large(scratch)
    yield from _compressed("integers", chance.integers(0, 200, _ITEMS), scratch, (3.0, 2.5))
    yield from _parts(chance.integers(0, 200, _ITEMS), scratch)
    yield from _compressed("random doubles", chance.random(_ITEMS), scratch, (1.2, 1.5))
    yield from family_cases(scratch)
