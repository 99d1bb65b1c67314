"""scikit-learn and caches of arrays on lightwork and on joblib, in two processes that differ in the alias."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ecosystem import JOBLIB, LIGHTWORK, both, names
from harness import Case, Medians, Side


def _not_slower(medians: Medians) -> bool:
    return medians[JOBLIB] / medians[LIGHTWORK] >= 0.95


def cases(scratch: Path) -> Iterator[Case]:
    with both() as servers:
        for name in names():
            yield Case(
                name,
                {on: Side(partial(ask, name)) for on, ask in servers.items()},
                target="at least 0.95 × joblib",
                met=_not_slower,
                rounds=5,
            )
