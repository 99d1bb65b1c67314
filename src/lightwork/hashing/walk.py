"""The walk over a value: every part becomes a short token, and the token of the whole is its digest.

A *token* is at most 65 bytes: an encoding of up to 64 bytes as it is, a longer one as ``#`` and its digest.
Tokens depend on content only, so a part that is met twice is worked out once, and it makes no difference
whether two equal parts are one object. The scheme is written down in ``docs/hash-scheme.md``.

A value that contains itself has no finite content. When the walk meets a part that it is still inside of,
it starts again and numbers the parts: the second and later visits of a part give its number. Sharing is
then visible: equal copies have equal tokens, a value whose equal parts are one object and one whose are not
have different ones.
"""

from array import array
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeAlias

from .digests import Algorithm

__all__ = ["INLINE", "RAW", "Cycle", "NotHashable", "Rule", "RuleBook", "Walk", "frame"]

INLINE = 64
"""Longest encoding (bytes) that stands for itself inside another one."""

RAW = 64 << 10
"""From this size (bytes) on a buffer enters an encoding through its own digest, so that known digests of
kept buffers can be spliced in."""

Rule: TypeAlias = "Callable[[Walk, Any], bytes]"
"""How values of a type become tokens. Any: each rule knows its type."""

Token: TypeAlias = bytes

_OPEN = b""  # in the memo: the walk is inside of this part


class Cycle(Exception):
    """A value that contains itself was met in a walk that does not number parts."""


class NotHashable(Exception):
    """A part that has no key, and why."""

    def __init__(self, culprit: object, reason: str) -> None:
        super().__init__(reason)
        self.culprit = culprit
        self.reason = reason


class Walk:
    """One pass over one value; not used again, not shared between threads.

    Attributes
    ----------
    algorithm
        Makes the digests.
    numbered
        Whether parts are numbered, see above.
    visit
        Called with every function and class that is met, or ``None``. Code fingerprints are collected so.
    """

    __slots__ = (
        "_book",
        "_exact",
        "_found",
        "_keep",
        "_memo",
        "_sketching",
        "algorithm",
        "numbered",
        "of",
        "visit",
    )

    def __init__(
        self,
        algorithm: Algorithm,
        book: "RuleBook",
        *,
        numbered: bool = False,
        visit: Callable[[Any], None] | None = None,
    ) -> None:
        self.algorithm = algorithm
        self.of = algorithm.of
        self.numbered = numbered
        self.visit = visit
        self._book = book
        self._exact = book.exact
        self._found: dict[type, Rule] = {}
        self._memo: dict[int, Token] = {}
        self._keep: list[object] = []
        self._sketching = False

    def token(self, value: Any) -> Token:
        """The token of any value."""
        kind = type(value)
        rule = self._exact.get(kind) or self._found.get(kind)
        if rule is None:
            rule = self._found[kind] = self._book.learn(kind)
        return rule(self, value)

    def temporary(self, value: Any) -> Token:
        """The token of a value that nothing else keeps alive (identities are remembered during the walk)."""
        self._keep.append(value)
        return self.token(value)

    def keep(self, value: object) -> None:
        """Keep what a rule made alive until the end of the walk."""
        self._keep.append(value)

    def tokens(self, values: Iterable[Any]) -> list[Token]:
        """The tokens of several values that something keeps alive."""
        return list(map(self.token, values))

    def part(self, value: Any, encode: Callable[["Walk", Any], bytes]) -> Token:
        """The token of a part that may be met again or contain itself; `encode` is called once for it."""
        return self.begin(value) or self.end(value, encode(self, value))

    def begin(self, value: Any) -> Token | None:
        """The token of a part that was met before; ``None``: then it is to be encoded and given to `end`."""
        memo, key = self._memo, id(value)
        known = memo.get(key)
        if known is not None:
            if known is _OPEN:
                raise Cycle
            return known
        memo[key] = b"^%d" % len(memo) if self.numbered else _OPEN
        return None

    def end(self, value: Any, encoding: bytes) -> Token:
        """The token of a part that `begin` did not know."""
        token = encoding if len(encoding) <= INLINE else b"#" + self.of(encoding)
        if not self.numbered:
            self._memo[id(value)] = token
        return token

    def seal(self, encoding: bytes) -> Token:
        """The token of an encoding."""
        return encoding if len(encoding) <= INLINE else b"#" + self.of(encoding)

    def raw(self, view: "bytes | bytearray | memoryview | array[Any]") -> bytes:
        """Bytes inside an encoding: as they are below 64 KiB, else their length and digest."""
        data = memoryview(view)
        if data.nbytes < RAW:
            return b"=%d:%b" % (data.nbytes, data.tobytes())
        return b"~%d:%b" % (data.nbytes, self.algorithm.identify(data.cast("B")))

    def raw_pieces(self, pieces: Iterable[bytes | memoryview], nbytes: int) -> bytes:
        """What `raw` gives for all `pieces` one after the other, `nbytes` in all."""
        if nbytes < RAW:
            return b"=%d:%b" % (nbytes, b"".join(pieces))
        return b"~%d:%b" % (nbytes, self.algorithm.stream(pieces, nbytes))

    def facts(self, family: object, *parts: object) -> bytes:
        """The encoding of a value of a library's family: what the family is called, and what makes it up."""
        return frame(b"X", [self.token(family), *map(self.temporary, parts)])

    def unordered(self, values: Collection[Any], key: Callable[[Any], Any] | None = None) -> list[Token]:
        """The tokens of values whose order means nothing, in an order that depends on content only."""
        if not self.numbered:
            return sorted(self.tokens(values))
        if self._sketching:
            return [b"?%d" % len(values)]
        return self.tokens(sorted(values, key=self._sketch))

    def _sketch(self, value: Any) -> Token:
        """What orders the elements of a set inside a value that contains itself.

        Looks at the element alone, and at sets inside of it by their size only: it must not come back here.
        Elements that look the same so far keep the set's own order, so that a key may then differ between
        equal copies. It is never the same for different values.
        """
        walk = Walk(self.algorithm, self._book, numbered=True)
        walk._sketching = True
        return walk.token(value)


class RuleBook:
    """Which rule a type has.

    Attributes
    ----------
    exact
        Rules of types that are known; read by every walk.

    Notes
    -----
    `learn` adds types that live as long as their library does, so nothing is kept alive by it. Adding an
    entry is atomic, and two threads that learn one type add the same rule.
    """

    __slots__ = ("_find", "_lasts", "exact")

    def __init__(
        self, exact: dict[type, Rule], find: Callable[[type], Rule], lasts: Callable[[type], bool]
    ) -> None:
        self.exact = exact
        self._find = find
        self._lasts = lasts

    def forget(self, kinds: Callable[[type], bool]) -> None:
        """Have the rules of the types that `kinds` is true of found again, from the next walk on."""
        for known in [known for known in self.exact if kinds(known)]:
            del self.exact[known]

    def learn(self, kind: type) -> Rule:
        """The rule of a type that is not in `exact`; remembered if the type lasts."""
        rule = self._find(kind)
        if self._lasts(kind):
            self.exact[kind] = rule
        return rule


def frame(tag: bytes, tokens: Sequence[Token]) -> bytes:
    """An encoding made of tokens: tag, their number, their lengths (one byte each), the tokens."""
    return b"%b%d:%b%b" % (tag, len(tokens), bytes(map(len, tokens)), b"".join(tokens))
