"""Files that are no bare container of ours: joblib's formats, plain pickles, and compressed files.

`opening` reads them, `joblib_writing` writes joblib's format. Nothing here is imported for our own files.
"""

from typing import TYPE_CHECKING

from ...system.optional import on_first_use

if TYPE_CHECKING:
    from . import joblib_writing, opening

__all__ = ["joblib_writing", "opening"]

__getattr__ = on_first_use(__name__, parts=__all__)
