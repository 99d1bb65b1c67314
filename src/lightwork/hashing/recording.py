"""A walk that writes down what it does: every part with its token, bytes, seconds and parts.

It follows the rules of `Walk` and gives the same tokens. Parts that are packed into a run are no tokens of
their own, so a list of a million numbers is one part here as it is there.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .digests import Algorithm
from .walk import NotHashable, RuleBook, Walk

if TYPE_CHECKING:
    from ..arrays.blocks import Array

__all__ = ["Part", "Recorder"]

LIMIT = 10_000
"""Parts that are written down at most. When there are more, the deepest ones are forgotten."""

_LOST: bytes = b"lost"  # stands for a part without a key, so that the walk can go on


class Part:
    """What a recording says about one part; `explain` makes a `HashNode` of it.

    Attributes
    ----------
    value, token
        The part, kept alive, and its token.
    nbytes, seconds
        Bytes that were digested and time that passed, those of its own parts included.
    parts
        Its own parts, in the order of the walk.
    kept
        What its rule made and asked the walk to keep, such as its reduction.
    omitted
        How many more parts it has that are not in `parts`.
    again
        Whether it had been met before, and so cost nothing.
    lost
        Whether it has no key, because of itself or of a part.
    error
        The first refusal inside of it that no part of its own in `parts` has.
    """

    __slots__ = (
        "again",
        "error",
        "kept",
        "level",
        "lost",
        "nbytes",
        "omitted",
        "parts",
        "seconds",
        "token",
        "value",
    )

    def __init__(self, value: Any, level: int, *, again: bool) -> None:
        self.value = value
        self.level = level
        self.again = again
        self.token: bytes = b""
        self.nbytes = 0
        self.seconds = 0.0
        self.parts: list[Part] = []
        self.kept: list[Any] = []
        self.omitted = 0
        self.lost = False
        self.error: NotHashable | None = None


class Recorder(Walk):
    """One recorded pass over one value.

    Parameters
    ----------
    levels
        Parts deeper than this are not written down; the value itself is at level 0.
    width
        Parts of one part that are written down at most, the first ones.
    clock
        Gives seconds.
    """

    __slots__ = (
        "_clock",
        "_digested",
        "_failures",
        "_inside",
        "_levels",
        "_lost",
        "_rows",
        "_silent",
        "_width",
    )

    def __init__(
        self,
        algorithm: Algorithm,
        book: RuleBook,
        *,
        numbered: bool = False,
        levels: int,
        width: int,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self._digested = _Counting(algorithm)
        super().__init__(self._digested, book, numbered=numbered)
        # What is not written down is left to a walk of the usual kind, which knows the same parts.
        self._silent = Walk(self._digested, book, numbered=numbered)
        self._silent._memo = self._memo
        self._levels = levels
        self._width = width
        self._clock = clock
        self._inside = Part(None, -1, again=False)
        self._rows: list[list[Part]] = []  # the parts of each level
        self._failures = 0
        self._lost: set[int] = set()

    def record(self, value: Any) -> Part:
        """The recording of a value."""
        self.token(value)
        return self._inside.parts[0]

    def token(self, value: Any) -> bytes:
        """As `Walk.token`; a part without a key gets a token that stands for it."""
        outer = self._inside
        if outer.level >= self._levels or len(outer.parts) >= self._width:
            outer.omitted += 1
            return self._guarded(self._silent.token, value)
        part = self._inside = self._new(value, outer)
        before, start = self._digested.nbytes, self._clock()
        part.token = self._guarded(super().token, value)
        part.seconds = self._clock() - start
        part.nbytes = self._digested.nbytes - before
        if not part.token.startswith(b"#"):
            part.nbytes += len(part.token)  # it stands for itself, and is digested with what holds it
        part.lost = id(value) in self._lost
        self._inside = outer
        return part.token

    def keep(self, value: object) -> None:
        """As `Walk.keep`."""
        super().keep(value)
        self._inside.kept.append(value)

    def _guarded(self, token_of: Callable[[Any], bytes], value: Any) -> bytes:
        failures, known = self._failures, len(self._memo)
        try:
            token = token_of(value)
        except NotHashable as exc:
            self._failures += 1
            self._inside.error = self._inside.error or exc
            self._reopen(known)
            token = self.end(value, _LOST)
        if id(value) in self._lost:
            self._failures += 1
        elif failures != self._failures:
            self._lost.add(id(value))
            super().keep(value)
        return token

    def _reopen(self, known: int) -> None:
        """Forget that the walk was inside of parts which an error has left: they may be met again."""
        if not self.numbered:
            for key in [key for key in islice(self._memo, known, None) if not self._memo[key]]:
                del self._memo[key]

    def _new(self, value: Any, outer: Part) -> Part:
        part = Part(value, outer.level + 1, again=id(value) in self._memo)
        outer.parts.append(part)
        if part.level == len(self._rows):
            self._rows.append([])
        self._rows[part.level].append(part)
        if sum(map(len, self._rows)) > LIMIT and len(self._rows) > 2:
            self._forget()
        return part

    def _forget(self) -> None:
        """Drop the deepest level, so that what is left is whole down to one depth."""
        self._rows.pop()
        for part in self._rows[-1]:
            part.omitted += len(part.parts)
            part.parts.clear()
        self._levels = len(self._rows) - 1


class _Counting(Algorithm):
    """An algorithm that counts the bytes it is given; the walk calls it in one thread."""

    __slots__ = ("nbytes",)

    def __init__(self, chosen: Algorithm) -> None:
        super().__init__(chosen.name, chosen.start)
        self.nbytes = 0
        self.of = self._of

    def _of(self, data: bytes) -> bytes:
        self.nbytes += len(data)
        return self.start(data).digest()

    def buffer(self, view: memoryview) -> bytes:
        with self._as(view.nbytes):
            return super().buffer(view)

    def array(self, array: "Array") -> bytes:
        with self._as(array.nbytes):
            return super().array(array)

    def stream(self, views: Iterable["bytes | memoryview"], nbytes: int) -> bytes:
        with self._as(nbytes):
            return super().stream(views, nbytes)

    @contextmanager
    def _as(self, nbytes: int) -> Iterator[None]:
        """Count what is done inside as this many bytes: one of these methods may call another."""
        before = self.nbytes
        yield
        self.nbytes = before + nbytes
