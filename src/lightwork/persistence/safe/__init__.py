"""Files from strangers: `load(path, safe=True)`. No name of the file is imported, none of its calls is made.

::

    container ──► guard      what the file becomes is held against what it holds
    skeleton ───► scan       structure, lengths, names: refuses before anything is built or imported
             └──► machine    builds with constructors of ours: plain, arrays, sparse, frames and others
                  trusted    and with those of libraries that the caller trusts
"""

from typing import TYPE_CHECKING

from ...system.optional import on_first_use

if TYPE_CHECKING:
    from .dtypes import described
    from .guard import Guard
    from .registered import register_safe

__all__ = ["Guard", "described", "register_safe"]

__getattr__ = on_first_use(
    __name__, names={"Guard": "guard", "described": "dtypes", "register_safe": "registered"}
)
