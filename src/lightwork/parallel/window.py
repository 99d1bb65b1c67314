"""A list that is addressed by task index and forgets what is no longer needed, from any place."""

from collections.abc import Sequence
from typing import Generic, TypeVar

__all__ = ["Window"]

T = TypeVar("T")


class Window(Generic[T]):
    """Items of tasks, by index, from the oldest one that is still needed to the newest.

    All operations work on ranges of tasks and cost a slice of a list: nothing is done per task in Python.
    A dropped item is released at once; its place (8 bytes) when all before it were dropped as well.
    """

    __slots__ = ("_base", "_dropped", "_items", "_lead")

    def __init__(self) -> None:
        self._base = 0  # index of the task in _items[0]
        self._lead = 0  # all tasks before this index were dropped
        self._items: list[T | None] = []
        self._dropped: dict[int, int] = {}  # start: stop of dropped ranges after _lead

    def put(self, start: int, items: Sequence[T]) -> None:
        """Set the items of tasks ``start .. start + len(items) - 1``, which must not have been dropped."""
        at = start - self._base
        missing = at - len(self._items)
        if missing > 0:
            self._items.extend([None] * missing)
        self._items[at : at + len(items)] = items

    def get(self, start: int, stop: int) -> list[T]:
        """The items of tasks ``start .. stop - 1``, all of which were put and not dropped."""
        return self._items[start - self._base : stop - self._base]  # type: ignore[return-value]  # as promised

    def drop(self, start: int, stop: int) -> None:
        """Release the items of tasks ``start .. stop - 1``."""
        at = start - self._base
        self._items[at : at + stop - start] = [None] * (stop - start)
        if start != self._lead:
            self._dropped[start] = stop
            return
        lead = stop
        while lead in self._dropped:
            lead = self._dropped.pop(lead)
        self._lead = lead
        # Shortened only when half of it is empty: then each item is moved at most once on average.
        if (lead - self._base) * 2 >= len(self._items):
            del self._items[: lead - self._base]
            self._base = lead

    def take(self, start: int, stop: int) -> list[T]:
        """`get`, then `drop`."""
        items = self.get(start, stop)
        self.drop(start, stop)
        return items

    def __len__(self) -> int:
        """Places that are held, the empty ones among them included."""
        return len(self._items)
