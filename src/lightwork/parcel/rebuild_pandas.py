"""What skeletons call to build columns of pandas. The names are part of the file format: never move them."""

from typing import Any

__all__ = ["arrow_column"]


# Any: values of libraries that may not be installed.
def arrow_column(dtype: Any, chunks: Any) -> Any:
    """A column of a dtype that is stored in arrow, with the memory of a chunked array."""
    return dtype.__from_arrow__(chunks)
