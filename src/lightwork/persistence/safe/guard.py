"""What stands between a stranger's file and the process that loads it."""

import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from ...errors import CorruptFileError, UnsafeFileError
from ...protocols import Buffer
from ..renames import Rename
from . import arrays, arrow, dtypes, extension, frames, plain, polars, sparse, sparse_columns, texts, torch
from .calls import Calls
from .claims import Claims
from .constructors import Constructor, Family, Kit
from .keys import Keys
from .machine import Machine
from .registered import REGISTERED
from .scan import Name, scan
from .trusted import Trusted, checked_names

# Any: the value of a file, arrays of a library that may not be installed.
__all__ = ["Guard"]

_FAMILIES = (
    plain.FAMILY,
    dtypes.FAMILY,
    arrays.FAMILY,
    sparse.FAMILY,
    sparse_columns.FAMILY,
    frames.FAMILY,
    extension.FAMILY,
    texts.FAMILY,
    arrow.FAMILY,
    polars.FAMILY,
    torch.FAMILY,
)
_ADMITTED: Family = {name: make for family in _FAMILIES for name, make in family.items()}
# Constant data of 1 MiB is compressed to some 100 bytes, so honest files of zeros can have 10,000 times their
# size; up to the first number of bytes they have it here too.
_FREE = 128 << 20
_PER_BYTE = 1000
_LEAST = 8  # bytes of memory per byte of a skeleton
_NAMED = 20  # types in a message


class Guard:
    """Watches over the reading of one file: the reader calls `unfold`, `admit` and `expand`; `join` follows.

    Parameters
    ----------
    trusted
        Names of packages, modules and types that are imported and used as an ordinary load does. No code of
        others is called on behalf of the file; a crafted object of a trusted library may still crash.
    rename
        Gives the names of today for those in the file. Only the former are looked at.

    Raises
    ------
    InvalidOption
        `trusted` is no list of dotted names.
    """

    def __init__(self, trusted: Collection[str] = (), rename: Rename | None = None) -> None:
        self._trusted = Trusted(checked_names(trusted))
        self._rename = rename
        self._stored = self._memory = 0

    def unfold(self, stored: int, plain: int) -> None:
        """Take note of a part of the skeleton. Raises as `expand`.

        Until `admit` has counted, each of its bytes stands for the least that an instruction takes.
        """
        self.expand(stored, _LEAST * plain)

    def admit(self, skeleton: bytes, buffers: int) -> None:
        """Look through the skeleton of a file that has so many buffers, before these are read.

        Raises
        ------
        UnsafeFileError
            It asks for what is not built here; the message names all types.
        CorruptFileError
            It contradicts itself.
        """
        found = scan(skeleton)
        refused = [name for name in map(self._today, found.names) if not self._admits(name)]
        if refused:
            raise UnsafeFileError(_refusal(refused))
        if found.buffers != buffers:
            raise CorruptFileError(f"its skeleton asks for {found.buffers} buffers, it has {buffers}")
        self._memory = 0
        self.expand(0, found.cost)

    def _today(self, name: Name) -> Name:
        return name if self._rename is None else Name(*self._rename(*name))

    def _admits(self, name: Name) -> bool:
        return name in _ADMITTED or name in REGISTERED or self._trusted.admits(name)

    def expand(self, stored: int, plain: int) -> None:
        """Take note of `stored` bytes of the file that become `plain` bytes of memory.

        Raises
        ------
        UnsafeFileError
            The file holds too little for what it becomes.
        """
        self._stored += stored
        self._memory += plain
        allowed = _FREE + _PER_BYTE * self._stored
        if self._memory > allowed:
            raise UnsafeFileError(
                f"{self._stored:,} bytes of it become {self._memory:,} bytes of memory, more than safe=True "
                f"allows ({allowed:,}); a file that you trust can be loaded without it"
            )

    def join(self, make_array: Callable[..., Any] | None, skeleton: Buffer, buffers: Iterable[Any]) -> Any:
        """The value. Parameters as of `parcel.parcels.join_with`; ``None`` makes plain arrays.

        Raises
        ------
        UnsafeFileError, CorruptFileError
            As `admit`; or the file calls what it may not.
        ImportError, AttributeError
            From a trusted library, as from an ordinary load.
        """
        keys = Keys(len(skeleton))

        def spend(nbytes: int) -> None:
            self.expand(0, nbytes)

        claims = Claims(spend)
        kit = Kit(make_array, keys, claims, spend)

        def resolve(written: Name) -> Constructor:
            name = self._today(written)
            if name in REGISTERED:
                return REGISTERED.constructor(name)
            make = _ADMITTED.get(name)
            return self._trusted.constructor(name) if make is None else make(kit)

        calls = Calls(resolve, self._trusted, spend)
        value = Machine(bytes(skeleton), buffers, calls, keys, claims, self._trusted).run()
        claims.check()
        return value


def _refusal(names: Sequence[Name]) -> str:
    texts = [ascii(str(name)[:200])[1:-1] for name in names[:_NAMED]]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    packages = sorted({text.partition(".")[0] for text in texts} - sys.stdlib_module_names)
    advice = f"; libraries that you trust can be named: trusted={packages}" if packages else ""
    return f"safe=True does not build {', '.join(texts)}{more}{advice}"
