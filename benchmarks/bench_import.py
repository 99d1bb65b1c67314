"""What it costs to import lightwork, in a fresh interpreter each time."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from harness import Case, Side

_TIMED = "import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"


def _import(statement: str) -> Side:
    def run() -> float:
        command = [sys.executable, "-c", _TIMED.format(statement=statement)]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    return Side(run)


def _peer(name: str) -> Side | None:
    return _import(f"import {name}") if find_spec(name) else None


def cases(scratch: Path) -> Iterator[Case]:
    yield Case(
        "import lightwork (the façade)",
        {
            "lightwork": _import("import lightwork"),
            "joblib": _peer("joblib"),
            "diskcache": _peer("diskcache"),
        },
        target="≤ 10 ms",
        met=lambda m: m["lightwork"] <= 10e-3,
    )
    yield Case(
        "import the six main names",
        {
            "lightwork": _import("from lightwork import Memory, Parallel, delayed, dump, load, hash"),
            "joblib": _peer("joblib"),
            "diskcache": _peer("diskcache"),
        },
        target="≤ 60 ms",
        met=lambda m: m["lightwork"] <= 60e-3,
    )
