"""What `explain_hash` gives: a tree of nodes, as a table for people, as plain dicts, and compared."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice, zip_longest
from typing import Any, NamedTuple

__all__ = ["HashDifference", "HashNode"]

LINES = 50
"""Lines of a table by default."""

ERRORS = 5
"""Errors that are written out below a table."""

SHORT = 12
"""Digits of a key in a table: two of a million keys agree in them with a chance of 1 in 500."""


class HashNode(NamedTuple):
    """One part of a value and what it gives to the key. ``print`` it for a table."""

    path: str
    """Where it sits, spelled as in errors: ``value[1].conn``."""

    type: str
    """Full name of its type; those of `builtins` without the module."""

    summary: str
    """What it holds, in a few words: number of items, dtype and shape. Runs no ``__repr__`` of users."""

    key: str | None
    """What `lightwork.hash` gives for this part alone; ``None`` if it has no key. Inside a value that
    contains itself the keys of parts hold within that value only."""

    nbytes: int
    """Bytes that went through the digest for this part, its own parts included."""

    milliseconds: float
    """Time that this part took, its own parts included, and the recording too."""

    children: tuple["HashNode", ...]
    """Its own parts, in the order of the value. A packed run (a list of a million numbers) has none."""

    omitted: int = 0
    """How many more parts it has that are not in `children`, see ``depth=`` and ``width=``."""

    packed: bool = False
    """Whether its items are all of one kind and were taken in one piece, so that they are no parts."""

    again: bool = False
    """Whether the same object stands further up as well: its parts are there, and it cost nothing here."""

    error: str | None = None
    """Why the part, or one inside it that is not in `children`, has no key."""

    def __str__(self) -> str:
        return self.table()

    def table(self, *, lines: int = LINES, width: int | None = None) -> str:
        """The tree as text: bytes, milliseconds, first digits of the key, and the part.

        Parameters
        ----------
        lines
            At most this many parts are shown, those that took longest; what is left out is counted.
        width
            Columns of the terminal; longer lines are cut. ``None``: not cut.
        """
        rows = [f"{'bytes':>15} {'ms':>10}  {'key':<{SHORT}}  part", *self._rows(self._chosen(lines), "")]
        rows += list(islice((node.error for node in self.walk() if node.error), ERRORS))
        return "\n".join(
            row if width is None or len(row) <= width else f"{row[: width - 3]}..." for row in rows
        )

    def to_dict(self) -> dict[str, Any]:  # Any: what json takes
        """The node and all below it as plain dicts, lists, strings and numbers."""
        return {**self._asdict(), "children": [child.to_dict() for child in self.children]}

    def differences(self, other: "HashNode") -> list["HashDifference"]:
        """The smallest parts in which another value differs from this one, in order; empty if keys agree.

        Parts are matched by their paths. Where nothing else tells a difference, because it lies in parts that
        were left out or in something that is no part of its own (a packed run, a name), the part around it
        is named. A part without a key on both sides counts as different.

        Examples
        --------
        >>> from lightwork import explain_hash
        >>> one, two = explain_hash({"a": 1, "b": [2, "x"]}), explain_hash({"a": 1, "b": [2, "y"]})
        >>> print(*one.differences(two))
        value['b'][1]: 'x' (str) became 'y' (str)
        """
        return list(_differences(self, other))

    def _chosen(self, lines: int) -> set[int]:
        """Identities of the nodes to show: the dearest, whose parents are at least as dear."""
        row: list[HashNode] = [self]
        order: list[HashNode] = []
        while row:
            row = [child for node in row for child in node.children]
            order += row
        # Rounded: what differs by microseconds stays in the order of the value.
        order.sort(key=lambda node: (node.key is not None, -round(node.milliseconds, 1)))
        return set(map(id, order[: max(lines - 1, 0)]))

    def walk(self) -> Iterator["HashNode"]:
        """This node and all below it, each before its children."""
        yield self
        for child in self.children:
            yield from child.walk()

    def _rows(self, chosen: set[int], indent: str, start: int = 0) -> Iterator[str]:
        key = "no key" if self.key is None else self.key[:SHORT]
        yield (
            f"{self.nbytes:>15,} {self.milliseconds:>10.3f}  {key:<{SHORT}}  {indent}{self.path[start:]}: "
            f"{self.description}"
        )
        shown = [child for child in self.children if id(child) in chosen]
        for child in shown:
            yield from child._rows(chosen, indent + "  ", len(self.path))
        left = len(self.children) - len(shown) + self.omitted
        if left:
            yield f"{'':>28}{'':<{SHORT}}  {indent}  ... {left:,} more"

    @property
    def description(self) -> str:
        """Type and summary in one phrase."""
        text = f"{self.summary} ({self.type})" if self.summary else self.type
        return text + ", packed" * self.packed + ", met before" * self.again


class HashDifference(NamedTuple):
    """A part in which two values differ. ``print`` it for a sentence."""

    path: str
    before: HashNode | None
    """The part of the value that was asked; ``None`` if it has no such part."""

    after: HashNode | None
    """The part of the other value; ``None`` if it has no such part."""

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.path}: {_named(self.after)} was added"
        if self.after is None:
            return f"{self.path}: {_named(self.before)} is gone"
        one, two = self.before.description, self.after.description
        if self.before.key is None and self.after.key is None:
            return f"{self.path}: {one} has no key"
        if one == two:
            return f"{self.path}: {one}, with another content"
        return f"{self.path}: {one} became {two}"


def _named(node: HashNode | None) -> str:
    return "" if node is None else node.description


def _differences(one: HashNode, two: HashNode) -> Iterator[HashDifference]:
    if one.key is not None and one.key == two.key:
        return
    found = False
    if one.type == two.type:
        for first, second in _matched(one, two):
            for difference in _differences(first, second) if first and second else [_lone(first, second)]:
                found = True
                yield difference
    if not found:
        yield HashDifference(one.path, one, two)


def _lone(first: HashNode | None, second: HashNode | None) -> HashDifference:
    return HashDifference((first or second).path, first, second)  # type: ignore[union-attr]  # one is there


def _matched(one: HashNode, two: HashNode) -> Iterator[tuple[HashNode | None, HashNode | None]]:
    """Children of both sides with the same step; elements of sets, which share a step, by their keys."""
    left, right = _by_step(one), _by_step(two)
    # A step on one side tells nothing if the parts of the other were packed, cut, or shown further up.
    closed = one.packed or two.packed or one.again or two.again
    told = not closed and one.type not in ("list", "tuple")
    for step in dict.fromkeys([*left, *right]):
        ours, theirs = left.get(step, []), right.get(step, [])
        if len(ours) > 1 or len(theirs) > 1:
            ours, theirs = _without(ours, theirs), _without(theirs, ours)
        for first, second in zip_longest(ours, theirs):
            if (first and second) or (told and not (one.omitted if second else two.omitted)):
                yield first, second


def _by_step(node: HashNode) -> dict[str, list[HashNode]]:
    found: dict[str, list[HashNode]] = {}
    for child in node.children:
        found.setdefault(child.path[len(node.path) :], []).append(child)
    return found


def _without(nodes: list[HashNode], others: list[HashNode]) -> list[HashNode]:
    """The nodes whose keys the others do not have."""
    rest = Counter(node.key for node in others)
    left = []
    for node in nodes:
        if rest[node.key] > 0:
            rest[node.key] -= 1
        else:
            left.append(node)
    return left
