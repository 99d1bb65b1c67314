"""A file object of which some bytes were read already."""

from typing import Any

__all__ = ["Resumed"]


class Resumed:
    """`head`, then what is left in `file`: as much of a file object as decompressors and readers need."""

    def __init__(self, head: bytes, file: Any) -> None:  # Any: whatever has `read`
        self._head = head
        self._file = file
        self._readinto = getattr(file, "readinto", None)

    def read(self, nbytes: int = -1) -> bytes:
        """At most so many bytes, all that are left if negative; none at the end."""
        if not self._head:
            data: bytes = self._file.read(nbytes)
            return data
        if nbytes < 0:
            data, self._head = self._head + self._file.read(), b""
        else:
            data, self._head = self._head[:nbytes], self._head[nbytes:]
        return data

    def readinto(self, out: Any) -> int:  # Any: a writable buffer
        """Fill the beginning of `out`; how many bytes."""
        if self._readinto is not None and not self._head:
            count: int = self._readinto(out)
            return count
        data = self.read(min(len(out), 1 << 20))
        out[: len(data)] = data
        return len(data)

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Never."""
        return False
