"""Reading under ``safe=True`` is total: whatever the instructions say, the value or one of our errors."""

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lightwork import dumps, loads
from lightwork.errors import FileFormatError, MissingDependency
from lightwork.parcel.parcels import split
from lightwork.persistence.safe.scan import scan
from tests.property.mutations import Seed, damaged_file, instructions, mutated_container, mutated_seed
from tests.unit.persistence.safe_samples import PLAIN, SAMPLES

EXAMPLES = 150  # `make torture` reads 200,000: tests/torture/test_persistence_fuzz.py


def _seed(value: object) -> Seed:
    parcel = split(value)
    return Seed(parcel.skeleton, tuple(map(bytes, parcel.buffers)))


SEEDS = [seed for seed in map(_seed, SAMPLES.values()) if len(seed.skeleton) < 10_000]
FILES = [
    dumps(value, compress) for value in ([1, "a", np.arange(50)], PLAIN["dates"]) for compress in (0, True)
]

chances = st.integers(0, 2**32).map(random.Random)


@settings(max_examples=EXAMPLES, deadline=None)
@given(chances)
def test_changed_instructions(chance: random.Random) -> None:
    """In a container whose checksums are right."""
    data = mutated_seed(SEEDS, chance)
    try:
        loads(data, safe=True)
    except FileFormatError as exc:
        assert "cannot read" in str(exc)  # noqa: PT017 - a value is as right
    except MissingDependency as exc:  # which a name may have become
        assert "pip install" in str(exc)  # noqa: PT017 - as above


@settings(max_examples=EXAMPLES, deadline=None)
@given(chances, st.sampled_from(FILES))
def test_changed_records_and_bytes(chance: random.Random, original: bytes) -> None:
    """Records with other contents and right checksums, and files as accidents leave them."""
    for data in (mutated_container(original, chance), damaged_file(original, chance)):
        try:
            loads(data, safe=True)
        except FileFormatError as exc:
            assert "cannot read" in str(exc)  # noqa: PT017 - a value is as right


_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary()
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(st.integers(), st.text(), st.tuples(st.integers(), st.text())), inner),
        st.frozensets(st.integers()),
    ),
    max_leaves=8,
)


@settings(max_examples=EXAMPLES // 3, deadline=None)
@given(_VALUES)
def test_plain_values_come_back(value: object) -> None:
    """Any scalars in any containers; and the scan sees an honest skeleton as what it is."""
    assert loads(dumps(value), safe=True) == value
    found = scan(split(value).skeleton)
    assert found.names == []
    assert b"".join(instructions(split(value).skeleton)) == split(value).skeleton
