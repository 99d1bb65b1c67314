"""Identity: one key for one value (`hash`), one key for one call (`calls`), a fingerprint for code.

The names and parts are imported on first use: rules for arrays when there is one, the reading of code when
a function is cached.
"""

from typing import TYPE_CHECKING

from ..system.optional import on_first_use

if TYPE_CHECKING:
    from . import (
        array_runs,
        arrow_rules,
        calls,
        code,
        digests,
        locate,
        model_rules,
        numpy_rules,
        pandas_rules,
        polars_rules,
        registered,
        scipy_rules,
        standard_rules,
        torch_rules,
        xarray_rules,
    )
    from .explain import explain_hash
    from .files import File
    from .nodes import HashDifference, HashNode
    from .values import adopt_rules, hash, register_hash

__all__ = [
    "File",
    "HashDifference",
    "HashNode",
    "adopt_rules",
    "array_runs",
    "arrow_rules",
    "calls",
    "code",
    "digests",
    "explain_hash",
    "hash",
    "locate",
    "model_rules",
    "numpy_rules",
    "pandas_rules",
    "polars_rules",
    "register_hash",
    "registered",
    "scipy_rules",
    "standard_rules",
    "torch_rules",
    "xarray_rules",
]

__getattr__ = on_first_use(
    __name__,
    parts=__all__,
    names={
        "File": "files",
        "HashDifference": "nodes",
        "HashNode": "nodes",
        "adopt_rules": "values",
        "explain_hash": "explain",
        "hash": "values",
        "register_hash": "values",
    },
)
