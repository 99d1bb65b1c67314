"""How values of one library leave the pickle, where the library's own way would copy them.

One module per library, of the same name, imported when a value of that library is pickled; the library is
loaded by then. Each has ``find(kind)``, which gives the reducer of a type, or ``None`` if its own way is
good. A reducer takes a value apart until only plain numpy arrays and buffers are left, and `reducers` sends
these to their places: there is one path for bytes, whatever library they come from.
"""

from typing import TYPE_CHECKING

from ...system.optional import on_first_use

if TYPE_CHECKING:
    from . import numpy, pandas, polars, pyarrow, ray, texts, torch

__all__ = ["numpy", "pandas", "polars", "pyarrow", "ray", "texts", "torch"]

__getattr__ = on_first_use(__name__, parts=__all__)
