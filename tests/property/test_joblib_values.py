"""Any value, any array layout: from joblib to us and back."""

import io
from typing import Any

import joblib
from hypothesis import given, settings
from hypothesis import strategies as st

from lightwork import dumps, loads
from tests.property.test_parcel_values import VALUES, agree, laid_out

METHODS = st.sampled_from([0, "zlib", "gzip", ("bz2", 1), "lz4"])


@settings(deadline=None)
@given(VALUES, st.lists(laid_out(), max_size=3), METHODS, st.integers(0, 5))
def test_values_travel_from_joblib(value: Any, values: list[Any], compress: Any, protocol: int) -> None:
    """Containers, scalars and arrays, in each protocol."""
    file = io.BytesIO()
    joblib.dump((value, values), file, compress, protocol)
    found, arrays = loads(file.getvalue(), ensure_native_byte_order=False)
    assert repr(found) == repr(value)  # as text, since nan differs from itself
    assert all(agree(*pair) for pair in zip(arrays, values, strict=True))


@settings(deadline=None)
@given(VALUES, st.lists(laid_out(), max_size=3), METHODS)
def test_values_travel_to_joblib(value: Any, values: list[Any], compress: Any) -> None:
    """Compressed and not."""
    file = io.BytesIO(dumps((value, values), compress, format="joblib"))
    found, arrays = joblib.load(file, ensure_native_byte_order=False)
    assert repr(found) == repr(value)
    assert all(agree(*pair) for pair in zip(arrays, values, strict=True))
