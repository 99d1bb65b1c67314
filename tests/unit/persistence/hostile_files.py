"""Files that a stranger might send: each whole and sealed, with one line of what it is after."""

from typing import NamedTuple

from tests.unit.persistence.hostile_arrays import MASKED, TEXTS
from tests.unit.persistence.hostile_arrow import ARROW
from tests.unit.persistence.hostile_buffers import BUFFERS
from tests.unit.persistence.hostile_calls import calls
from tests.unit.persistence.hostile_costs import COSTS
from tests.unit.persistence.hostile_forms import FORMS
from tests.unit.persistence.hostile_nested import NESTED
from tests.unit.persistence.hostile_pandas import PANDAS
from tests.unit.persistence.hostile_polars import POLARS
from tests.unit.persistence.hostile_skeletons import pickled
from tests.unit.persistence.hostile_values import VALUES

_FAMILIES = {
    "numpy": MASKED,
    "texts": TEXTS,
    "arrow": ARROW,
    "nested": NESTED,
    "pandas": PANDAS,
    "polars": POLARS,
}


class Hostile(NamedTuple):
    """A file, what it is after, and a part of the message that refuses it."""

    why: str
    data: bytes
    message: str


def hostile_files(mark: str) -> dict[str, Hostile]:
    """By a short name. `mark` is a file that the code in them would make if it ran."""
    families = {
        f"{family}: {short}": (bad.why, pickled(bad.value), bad.message)
        for family, entries in _FAMILIES.items()
        for short, bad in entries.items()
    }
    found = calls(mark) | FORMS | VALUES | COSTS | BUFFERS | families
    return {short: Hostile(*entry) for short, entry in found.items()}
