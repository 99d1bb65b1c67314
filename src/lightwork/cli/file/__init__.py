"""``lightwork file``: what is in a file of `dump`, whether it is whole, and how two differ."""

from ..command import Group
from ..convert import CONVERT
from .diff import DIFF
from .info import INFO
from .verify import VERIFY

__all__ = ["FILE"]

FILE = Group("file", "look into, verify, convert and compare files of dump", (INFO, VERIFY, CONVERT, DIFF))
