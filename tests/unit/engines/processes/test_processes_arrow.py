"""Frames that many tasks share."""

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lightwork.arrays.sightings import SHARED_FROM
from lightwork.engines.processes.publishing import Publisher
from lightwork.parcel.parcels import split


def places(publisher: Publisher, value: Any) -> list[Any]:
    """Where the large buffers of a value go."""
    views = [buffer for buffer in split(value).buffers if buffer.nbytes >= SHARED_FROM]
    return [publisher.place(pickle.PickleBuffer(view)) for view in views]


def test_the_texts_of_a_frame_are_published_at_their_second_sight() -> None:
    """Arrow makes new objects for the same memory; it is known again nevertheless."""
    frame = pd.DataFrame({"a": pd.Series([str(row) for row in range(50_000)], dtype="string[pyarrow]")})
    publisher = Publisher()
    assert all(isinstance(place, memoryview) for place in places(publisher, frame))
    assert places(publisher, frame) == places(publisher, frame) == [0, 1]
    publisher.close()


@pytest.mark.slow
def test_no_more_than_the_limit_of_arrow_buffers_is_kept() -> None:
    """A stream of new tables does not stay in memory for the sake of being known again."""
    publisher = Publisher()
    pool = pa.default_memory_pool()
    before = pool.bytes_allocated()
    most = 0
    for number in range(6):
        array = pa.array(np.full(10 << 20, number, "u1")).cast(pa.int64())  # 80 MiB, not touched again
        places(publisher, array)
        del array
        most = max(most, pool.bytes_allocated() - before)
    assert most <= (256 + 2 * 80 + 10) << 20
    publisher.close()
    assert pool.bytes_allocated() - before <= 1 << 20
