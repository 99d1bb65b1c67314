"""``lightwork cache``: what the folder of a `Memory` (or a checkpoint) holds, and what to do about it.

No command makes a folder by looking for one, and none but ``explain`` unpickles anything, so caches of others
may be looked at, too.
"""

from ..command import Group
from .clear import CLEAR
from .du import DU
from .explain import EXPLAIN
from .gc import GC
from .ls import LS
from .rm import RM
from .show import SHOW
from .stats import STATS
from .top import TOP
from .verify import VERIFY

__all__ = ["CACHE"]

CACHE = Group(
    "cache",
    "list, explain, verify and remove the results that a Memory has kept",
    (LS, SHOW, DU, STATS, EXPLAIN, VERIFY, GC, CLEAR, RM, TOP),
)
