"""Digests of bytes: BLAKE3 by default, any other on request, large buffers over the library's own threads.

BLAKE3 can use threads of its own (``max_threads``), but that pool is dead in a forked child and the call
then never returns; so lightwork cuts large buffers itself. The cut is part of the scheme: it does not
depend on the number of threads.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from blake3 import blake3

from .. import arrays
from ..errors import InvalidOption
from ..system.optional import loaded, on_demand
from ..system.threads import HELPERS

if TYPE_CHECKING:
    from ..arrays.blocks import Array

__all__ = ["BLAKE3", "BLOCK", "CHUNK", "TREE", "Algorithm", "algorithm", "digest_buffer"]

CHUNK = 8 << 20
"""Large buffers are cut into chunks of this size (bytes), each with its own digest."""

BLOCK = 1 << 20
"""What is not there as bytes is turned into bytes so much at a time."""

TREE = 16 << 20
"""From this size (bytes) on a buffer is cut. Below, one thread is as fast as two (5 ms)."""


class Hasher(Protocol):
    """What `hashlib` objects can do, as far as it is used here."""

    def update(self, data: Any, /) -> object:  # Any: whatever exports a buffer
        """Take in more bytes."""

    def digest(self) -> bytes:
        """The digest of all bytes so far."""


class Algorithm:
    """A digest by name.

    Attributes
    ----------
    name
        As in ``hash_name=``.
    start
        A new hasher, fed with the argument if there is one.
    """

    __slots__ = ("name", "of", "start")

    def __init__(self, name: str, start: Callable[..., Hasher]) -> None:
        self.name = name
        self.start = start
        self.of: Callable[[bytes], bytes] = lambda data: start(data).digest()

    def buffer(self, view: memoryview) -> bytes:
        """The digest of a buffer of any size; see `digest_buffer`."""
        if view.nbytes < TREE:
            return self.start(view).digest()
        cuts = range(0, view.nbytes, CHUNK)
        return self.join(HELPERS.map(lambda at: self.start(view[at : at + CHUNK]).digest(), cuts))

    def identify(self, view: memoryview) -> bytes:
        """What `buffer` gives, without reading a result of the cache that nobody has written into."""
        noted = loaded("lightwork.system.known") if self is BLAKE3 else None  # by who maps the first result
        digest: bytes = self.buffer(view) if noted is None else noted.KNOWN.digest_of(view, self.buffer)
        return digest

    def array(self, array: "Array") -> bytes:
        """What `buffer` gives for the elements in C order; each thread copies at most 1 MiB at a time."""
        if array.nbytes >= TREE:
            spans = arrays.padding.array_spans(array, CHUNK)
            if spans is not None:
                feed = arrays.padding.clean_blocks
                return self.join(HELPERS.map(lambda span: self._feed(feed(array, *span)), spans))
        return self.stream(arrays.padding.clean_blocks(array), array.nbytes)

    def blocks(self, read: "Callable[[int, int], Iterable[bytes | memoryview]]", nbytes: int) -> bytes:
        """What `buffer` gives for `nbytes` bytes; ``read(start, stop)`` gives some of them, in any thread."""
        if nbytes < TREE:
            return self._feed(read(0, nbytes))
        starts = range(0, nbytes, CHUNK)
        return self.join(HELPERS.map(lambda at: self._feed(read(at, min(at + CHUNK, nbytes))), starts))

    def text(self, value: str) -> bytes:
        """What `buffer` gives for a text in UTF-8 (lone surrogates pass), encoded 1 MiB at a time."""
        if not value.isascii():
            # What counts is whether it is a tree; a letter has at least one byte.
            nbytes = len(value) if len(value) >= TREE else sum(map(len, _encoded(value, 0, len(value))))
            return self.stream(_encoded(value, 0, len(value)), nbytes)
        if len(value) < TREE:
            return self._feed(_encoded(value, 0, len(value)))
        cuts = range(0, len(value), CHUNK)
        return self.join(HELPERS.map(lambda at: self._feed(_encoded(value, at, at + CHUNK)), cuts))

    def stream(self, views: Iterable[bytes | memoryview], nbytes: int) -> bytes:
        """What `buffer` gives for all `views` one after the other, `nbytes` in all."""
        return self._feed(views) if nbytes < TREE else self.join(self._chunks(map(memoryview, views)))

    def join(self, digests: Iterable[bytes]) -> bytes:
        """The digest of a tree from those of its chunks."""
        return self.of(b"".join(digests))

    def _feed(self, views: Iterable[bytes | memoryview]) -> bytes:
        hasher = self.start()
        for view in views:
            hasher.update(view)
        return hasher.digest()

    def _chunks(self, views: Iterable[memoryview]) -> Iterable[bytes]:
        """Digests of chunks of `CHUNK` bytes from blocks that do not end where chunks do."""
        hasher, room = self.start(), CHUNK
        for view in views:
            while view.nbytes >= room:
                hasher.update(view[:room])
                yield hasher.digest()
                view, hasher, room = view[room:], self.start(), CHUNK
            hasher.update(view)
            room -= view.nbytes
        if room < CHUNK:
            yield hasher.digest()


def _encoded(value: str, start: int, stop: int) -> Iterator[bytes]:
    """The code points ``start .. stop - 1`` in UTF-8, `BLOCK` code points at a time."""
    stop = min(stop, len(value))
    for at in range(start, stop, BLOCK):
        yield value[at : min(at + BLOCK, stop)].encode("utf-8", "surrogatepass")


BLAKE3 = Algorithm("blake3", blake3)


def digest_buffer(view: memoryview) -> bytes:
    """The BLAKE3 digest that names a buffer, 32 bytes.

    From 16 MiB on: BLAKE3 over the BLAKE3 digests of the chunks of 8 MiB, computed by several threads.

    Parameters
    ----------
    view
        C-contiguous, format ``'B'``, any length.
    """
    return BLAKE3.buffer(view)


def algorithm(name: str) -> Algorithm:
    """The algorithm called `name`: ``blake3``, ``xxh3`` (not for hostile input) or one of `hashlib`.

    Raises
    ------
    InvalidOption
        There is none of that name, or it has no fixed length.
    """
    if name == "blake3":
        return BLAKE3
    if name == "xxh3":
        return Algorithm(name, on_demand("xxhash").xxh3_128)
    hashlib = on_demand("hashlib")  # loads OpenSSL: 3 ms that the default does not need
    if name not in hashlib.algorithms_available or name.startswith("shake"):
        known = ", ".join(sorted(n for n in hashlib.algorithms_guaranteed if not n.startswith("shake")))
        raise InvalidOption(f"hash_name={name!r} is not known: give 'blake3', 'xxh3', or one of {known}")
    # A key of ours protects nothing: hosts in FIPS mode then allow md5 and sha1 too.
    return Algorithm(name, lambda data=b"": hashlib.new(name, data, usedforsecurity=False))
