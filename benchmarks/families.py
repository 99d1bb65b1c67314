"""Frames, models and weights in files, against the format that each community uses for them.

A peer that is not installed is left out of its rows, and a library that is not, with its rows.
"""

import importlib
import os
import pickle
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from harness import Case, Side

import lightwork

_ROWS = 1_000_000
_SYNCED = "to a file that every side syncs; lightwork renames it too"
_VERIFIED = "lightwork alone verifies checksums"
_FRESH = (
    f"{_VERIFIED}; what holds it: the first touch of memory, in the pages of 2 MiB of numpy. Arrow keeps "
    "its own, pickle takes what was just freed: 27 ms, or 300 where a host has taken free memory back"
)


def peer(name: str) -> Any:
    """A library, ``None`` if it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def pickle_dump(value: object, path: Path) -> None:
    with open(path, "wb") as file:
        pickle.dump(value, file, 5)


def pickle_load(path: Path) -> object:
    with open(path, "rb") as file:
        return pickle.load(file)


def cases(scratch: Path) -> Iterator[Case]:
    yield from _frames(scratch)
    yield from _forest(scratch)
    yield from _weights(scratch)


def _compared(work: str, runs: dict[str, Callable[[], object]], note: str, *, rounds: int = 5) -> Case:
    """A row whose aim is to be the fastest, or near it."""
    return Case(
        work,
        {name: Side(run) for name, run in runs.items()},
        target="≤ 1.15 × the fastest",
        met=lambda m: m["lightwork"] <= 1.15 * min(m.values()),
        note=note,
        rounds=rounds,
    )


Way = tuple[Callable[[Any, Path], object], Callable[[Path], object]]


def _dumped_and_loaded(name: str, value: object, ways: dict[str, Way], scratch: Path) -> Iterator[Case]:
    """Two rows: how each way writes the value, and how it reads it."""
    paths = {way: scratch / f"x.{number}" for number, way in enumerate(ways)}
    for way, (dump, _) in ways.items():
        dump(value, paths[way])
    dumps = {
        way: partial(dump if way == "lightwork" else _then_synced(dump), value, paths[way])
        for way, (dump, _) in ways.items()
    }
    loads = {way: partial(load, paths[way]) for way, (_, load) in ways.items()}
    yield _compared(f"dump {name}", dumps, _SYNCED)
    yield _compared(f"load {name}", loads, _FRESH if name.startswith("DataFrame") else _VERIFIED)


def _then_synced(dump: Callable[[Any, Path], object]) -> Callable[[Any, Path], object]:
    """The same, and the file on the disk afterwards, as it is with lightwork."""

    def run(value: Any, path: Path) -> None:
        dump(value, path)
        with open(path, "rb+", buffering=0) as file:
            os.fsync(file.fileno())

    return run


def _plain_ways() -> dict[str, Way]:
    ways: dict[str, Way] = {"lightwork": (lightwork.dump, lightwork.load)}
    if joblib := peer("joblib"):
        ways["joblib"] = joblib.dump, joblib.load
    return {**ways, "pickle 5": (pickle_dump, pickle_load)}


def _frames(scratch: Path) -> Iterator[Case]:
    pandas, arrow = peer("pandas"), peer("pyarrow")
    if pandas is None:
        return
    chance = np.random.default_rng(0)
    numbers = {f"n{number}": chance.random(_ROWS) for number in range(5)}
    texts = {f"s{number}": [f"text {key} of {number}" for key in range(_ROWS)] for number in range(3)}
    kinds = {"strings": "str", "object strings": object}
    for name, dtype in kinds.items():
        columns = {key: pandas.Series(text, dtype=dtype) for key, text in texts.items()}
        frame = pandas.DataFrame({**numbers, **columns})
        ways = _plain_ways()
        if arrow is not None and dtype == "str":  # objects come back as another dtype
            ways["arrow IPC"] = _arrow_ways(arrow)
        work = f"DataFrame, 1 M rows, 5 floats, 3 {name}"
        yield from _dumped_and_loaded(work, frame, ways, scratch)
        if dtype == "str" and arrow is not None:
            yield _mapped_frame(frame, arrow, scratch)


def _arrow_ways(arrow: Any) -> Way:
    def dump(frame: Any, path: Path) -> None:
        table = arrow.Table.from_pandas(frame)
        with arrow.OSFile(str(path), "wb") as file, arrow.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)

    def load(path: Path) -> Any:
        with arrow.OSFile(str(path), "rb") as file:
            return arrow.ipc.open_file(file).read_all().to_pandas()

    return dump, load


def _mapped_frame(frame: Any, arrow: Any, scratch: Path) -> Case:
    ours, theirs = scratch / "m.lw", scratch / "m.arrow"
    lightwork.dump(frame, ours)
    _arrow_ways(arrow)[0](frame, theirs)
    runs = {
        "lightwork": lambda: lightwork.load(ours, mmap_mode="c"),
        "arrow IPC": lambda: arrow.ipc.open_file(arrow.memory_map(str(theirs))).read_all().to_pandas(),
    }
    return _compared("map DataFrame, 1 M rows, 5 floats, 3 strings", runs, "arrow: memory_map, to_pandas")


def _forest(scratch: Path) -> Iterator[Case]:
    ensemble = peer("sklearn.ensemble")
    if ensemble is None:
        return
    chance = np.random.default_rng(0)
    data, labels = chance.random((5000, 20)), chance.integers(0, 3, 5000)
    forest = ensemble.RandomForestClassifier(200, n_jobs=1, random_state=0).fit(data, labels)
    yield from _dumped_and_loaded("random forest, 200 trees", forest, _plain_ways(), scratch)


def _weights(scratch: Path) -> Iterator[Case]:
    torch, safetensors = peer("torch"), peer("safetensors.torch")
    if torch is None:
        return
    layers = {f"layer{number}.weight": torch.rand(1024, 2048) for number in range(12)}
    biases = {f"layer{number}.bias": torch.rand(2048) for number in range(12)}
    weights = {**layers, **biases}
    ways: dict[str, Way] = {
        "lightwork": (lightwork.dump, lightwork.load),
        "torch.save": (torch.save, torch.load),
        "pickle 5": (pickle_dump, pickle_load),
    }
    if safetensors is not None:
        ways["safetensors"] = (safetensors.save_file, _read_safetensors(safetensors))
    yield from _dumped_and_loaded("state_dict, 100 MB", weights, ways, scratch)
    yield _mapped_weights(weights, torch, safetensors, scratch)


def _read_safetensors(safetensors: Any) -> Callable[[Path], object]:
    """All bytes in memory, as the other sides have them; `load_file` maps the file."""
    return lambda path: safetensors.load(path.read_bytes())


def _mapped_weights(weights: Any, torch: Any, safetensors: Any, scratch: Path) -> Case:
    ours, theirs, safe = scratch / "m.lw", scratch / "m.pt", scratch / "m.safetensors"
    lightwork.dump(weights, ours)
    torch.save(weights, theirs)
    runs: dict[str, Callable[[], object]] = {
        "lightwork": lambda: lightwork.load(ours, mmap_mode="c"),
        "torch.save": lambda: torch.load(theirs, mmap=True),
    }
    if safetensors is not None:
        safetensors.save_file(weights, safe)
        runs["safetensors"] = lambda: safetensors.load_file(safe)
    return _compared("map state_dict, 100 MB", runs, "privately; nothing is read")
