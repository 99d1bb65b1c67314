"""Identity: the key of a value, against `joblib.hash`, the C pickler and BLAKE3 by itself."""

import os
import pickle
import random
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3
from harness import Case, Side

from lightwork import File
from lightwork import hash as key_of
from lightwork.hashing.calls import CallKeys

if find_spec("joblib"):
    import joblib
else:  # a missing peer is a dash
    joblib = None

if find_spec("pandas"):
    import pandas
else:
    pandas = None

_GIGA = 1e9


def _sides(value: Any, *, per: int = 1, **yardsticks: Callable[[Any], object]) -> dict[str, Side | None]:
    def repeat(function: Callable[[Any], object]) -> Side:
        return Side(lambda: [function(value) for _ in range(per)])

    sides: dict[str, Side | None] = {
        "lightwork": repeat(key_of),
        "joblib": repeat(joblib.hash) if joblib else None,
    }
    return sides | {
        f"yardstick: {name.replace('_', ' ')}": repeat(function) for name, function in yardsticks.items()
    }


def _pickled(value: Any) -> bytes:
    return pickle.dumps(value, protocol=5)


def _blake3(value: Any) -> bytes:
    return blake3(memoryview(np.ascontiguousarray(value)).cast("B")).digest()


def _ratio(times: float) -> dict[str, Any]:
    return {
        "target": f"≤ 1/{times:g} of joblib",
        "met": lambda m: "joblib" not in m or m["lightwork"] <= m["joblib"] / times,
    }


def _containers() -> Iterator[Case]:
    million = range(10**6)
    run = "what holds it: looking at the type of each item, packing them into one array, hashing 8 MB"
    yield Case("list of 1 M ints", _sides(list(million), C_pickler=_pickled), **_ratio(20), note=run)
    yield Case(
        "list of 1 M floats", _sides([i * 0.5 for i in million], C_pickler=_pickled), **_ratio(12), note=run
    )
    yield Case(
        "list of 1 M strings",
        _sides([str(i) for i in million], C_pickler=_pickled),
        **_ratio(12),
        note="faster than the C pickler, which writes a frame per text; we join them all and encode once",
    )
    keys = [str(i) for i in range(100_000)]
    yield Case(
        "dict of 100 k, keys in order",
        _sides(dict.fromkeys(sorted(keys), 1), C_pickler=_pickled),
        **_ratio(12),
        note="what holds it: two looks at the types, a sort that finds all in order, joining the keys",
    )
    random.Random(0).shuffle(keys)
    yield Case(
        "dict of 100 k, keys shuffled",
        _sides(dict.fromkeys(keys, 1), C_pickler=_pickled),
        note="what holds it: sorting the keys is most of it; order must not count",
    )
    records = [{"id": i, "name": str(i), "x": i * 0.5, "ok": i % 2 == 0} for i in range(20_000)]
    yield Case(
        "20 k records of 4 fields",
        _sides(records, C_pickler=_pickled),
        **_ratio(5),
        note="what holds it: comparing the keys of each record with those of the first, four columns",
    )
    nested = [{"id": i, "tags": [i, i + 1], "at": {"x": i * 0.5}} for i in range(20_000)]
    yield Case(
        "20 k nested records",
        _sides(nested, C_pickler=_pickled),
        **_ratio(5),
        note="what holds it: as above, once more for each column of records",
    )
    mixed = [{"id": i, "name": str(i), f"field {i}": i * 0.5} for i in range(20_000)]
    yield Case(
        "20 k records, each with other fields",
        _sides(mixed, C_pickler=_pickled),
        note="what holds it: there are no columns, so each record is sorted, joined and framed by itself",
    )


def _arrays() -> Iterator[Case]:
    small = [np.arange(10) + i for i in range(20_000)]
    yield Case(
        "20 k arrays of 10",
        _sides(small, C_pickler=_pickled),
        **_ratio(12),
        note="faster than the C pickler: the bytes of all are joined, dtypes and shapes compared",
    )
    yield Case(
        "array of 8 KB", _sides(np.random.default_rng(0).random(1000), per=2000, BLAKE3=_blake3), per=2000
    )
    big = np.random.default_rng(0).random(12_500_000)
    yield Case(
        "array of 100 MB, C order",
        _sides(big, BLAKE3_one_thread=_blake3),
        target="≥ 6 GB/s",
        met=lambda m: m["lightwork"] <= big.nbytes / (6 * _GIGA),
    )
    for work, array in (
        ("array of 100 MB, F order", np.asfortranarray(big.reshape(3125, 4000))),
        ("array of 100 MB, every second column", np.repeat(big.reshape(3125, 4000), 2, axis=1)[:, ::2]),
    ):
        yield Case(
            work,
            _sides(array, copy_and_BLAKE3=_blake3),
            target="≥ 2 GB/s",
            met=lambda m: m["lightwork"] <= big.nbytes / (2 * _GIGA),
        )


def _frames() -> Iterator[Case]:
    if pandas is None:
        return
    frame = pandas.DataFrame(np.random.default_rng(0).random((200_000, 64)))
    nbytes = 200_000 * 64 * 8
    yield Case(
        "frame of 64 columns of doubles, 100 MB",
        _sides(frame, C_pickler=_pickled),
        target="≥ 1 GB/s",
        met=lambda m: m["lightwork"] <= nbytes / _GIGA,
    )


def _plain(x: Any, y: Any = 1) -> Any:
    return x


_PLAIN = CallKeys(_plain)
_NAMES = "\n".join(f"g{i} = {i}" for i in range(50))
_BODY = "def many(x):\n    return x, " + ", ".join(f"g{i}" for i in range(50))


def _key_of_call(keys: CallKeys, args: tuple[Any, ...]) -> Side:
    return Side(lambda: [keys.key(args, {}) for _ in range(5000)])


def _calls() -> Iterator[Case]:
    space: dict[str, Any] = {"__name__": "benchmark_of_calls"}
    exec(f"{_NAMES}\n{_BODY}", space)
    tracked = CallKeys(space["many"])
    old = Side(lambda: [joblib.hash({"x": 1, "y": 1}) for _ in range(5000)]) if joblib else None
    yield Case(
        "call key, scalar argument",
        {"lightwork": _key_of_call(_PLAIN, (1, 2)), "joblib": old},
        per=5000,
        target="≤ 4 µs",
        met=lambda m: m["lightwork"] <= 4e-6,
        note="joblib: the hash of the bound arguments alone",
    )
    yield Case(
        "call key, scalar argument, 50 tracked names",
        {"lightwork": _key_of_call(tracked, (1,)), "joblib": None},
        per=5000,
        target="≤ 5 µs",
        met=lambda m: m["lightwork"] <= 5e-6,
    )
    array = np.random.default_rng(0).random(1000)
    blake = Side(lambda: [_blake3(array) for _ in range(5000)])
    yield Case(
        "call key, 8 KB array argument",
        {"lightwork": _key_of_call(_PLAIN, (array, 2)), "joblib": None, "yardstick: BLAKE3": blake},
        per=5000,
        target="≤ 2 × BLAKE3",
        met=lambda m: m["lightwork"] <= 2 * m["yardstick: BLAKE3"],
    )


_FIFTY = """
L{n} = {n}
def f{n}(x, y={n}):
    "Sums roots."
    roots = [math.sqrt(k) * L{n} for k in range(x)]
    if len(roots) > y:
        return sum(roots) + {call}
    for place, root in enumerate(roots):
        roots[place] = np.sin(root)
    return sum(roots)
"""


def _fingerprints(scratch: Path) -> Iterator[Case]:
    calls = [f"f{n + 1}(x)" for n in range(49)] + ["x"]
    text = "import math\nimport numpy as np\n"
    text += "".join(_FIFTY.format(n=n, call=call) for n, call in enumerate(calls))
    space: dict[str, Any] = {"__name__": "benchmark_of_fifty"}
    exec(compile(text, "benchmark_of_fifty.py", "exec"), space)
    yield Case(
        "first key of a function that uses 50 others",
        {"lightwork": Side(lambda: CallKeys(space["f0"]).key((1,), {})), "joblib": None},
        target="≤ 20 ms",
        met=lambda m: m["lightwork"] <= 20e-3,
        note="once per process: 50 functions and 50 globals are read from bytecode, about 500 lines",
    )
    yield Case(
        "later keys of a function that uses 50 others",
        {"lightwork": _key_of_call(CallKeys(space["f0"]), (1,)), "joblib": None},
        per=5000,
        note="100 names, 50 codes and 100 tuples of defaults are compared by identity",
    )
    path = scratch / "argument.bin"
    path.write_bytes(bytes(100_000_000))
    os.utime(path, (0, 0))
    file = File(path)
    yield Case(
        "call key, a file of 100 MB by its content, unchanged",
        {"lightwork": Side(lambda: [_PLAIN.key((file,), {}) for _ in range(1000)]), "joblib": None},
        per=1000,
        note="its digest is remembered by device, inode, size and times",
    )


def cases(scratch: Path) -> Iterator[Case]:
    yield from _containers()
    yield from _arrays()
    yield from _frames()
    yield from _calls()
    yield from _fingerprints(scratch)
