"""Which records go: figures of any kind against the rule itself."""

from hypothesis import given
from hypothesis import strategies as st

from lightwork.stores.eviction import least_worth

NOW = 1e9
RECORDS = st.lists(
    st.tuples(
        st.floats(NOW - 1e7, NOW + 300),  # clocks differ
        st.integers(0, 1 << 30),
        st.floats(0, 1e5),
    ),
    max_size=60,
).map(lambda rows: [(number, *row) for number, row in enumerate(rows)])


@given(RECORDS, st.integers(-10, 1 << 32), st.integers(-10, 80))
def test_enough_goes_and_no_more(
    records: list[tuple[int, float, int, float]], nbytes: int, items: int
) -> None:
    """What was asked for is freed if it can be, and the last that goes was needed for it."""
    doomed = least_worth(records, nbytes=nbytes, items=items, now=NOW)
    assert len(set(doomed)) == len(doomed)
    freed = sum(records[number][2] for number in doomed)
    if len(doomed) < len(records):
        assert freed >= nbytes
        assert len(doomed) >= items
    if doomed:
        assert freed - records[doomed[-1]][2] < nbytes or len(doomed) - 1 < items


@given(RECORDS, st.integers(0, 60))
def test_better_in_every_respect_is_not_worse_off(
    records: list[tuple[int, float, int, float]], items: int
) -> None:
    """Nothing goes while a record stays that is older, larger and cheaper."""
    doomed = set(least_worth(records, nbytes=0, items=items, now=NOW))
    for number, accessed, nbytes, seconds in records:
        if number in doomed:
            assert not any(
                other[1] < accessed - 1 and other[2] > nbytes and other[3] < seconds
                for other in records
                if other[0] not in doomed
            )


@given(RECORDS, st.integers(0, 60), st.floats(0, 1e6))
def test_the_order_of_equal_records_is_that_of_use(
    records: list[tuple[int, float, int, float]], items: int, seconds: float
) -> None:
    """Among records of one size and cost those used least recently go."""
    equal = [(number, min(accessed, NOW - 1), 100, seconds) for number, accessed, _, _ in records]
    doomed = least_worth(equal, nbytes=0, items=items, now=NOW)
    by_use = sorted(accessed for _, accessed, _, _ in equal)
    assert sorted(equal[number][1] for number in doomed) == by_use[: len(doomed)]
