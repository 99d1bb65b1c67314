"""How many tasks each slot holds, and who holds least or most: known without looking at all of them.

With ten thousand workers a look at each of them at each event would take longer than the tasks. Two heaps hold
``(tasks, slot)``. Their entries are not removed when a number changes: the new one is added, and one that is
not true any more is dropped when it comes to the top. So each question costs a few steps of a heap.
"""

from heapq import heapify, heappop, heappush, heapreplace

__all__ = ["Loads"]

_ROOM = 4
"""Entries per slot from which a heap is made anew, of the true ones alone."""


class Loads:
    """The tasks of each slot. Attributes are read by the flow, and changed here alone.

    Attributes
    ----------
    total
        Tasks in all slots.
    idle
        Slots that hold none.
    """

    __slots__ = ("_aside", "_barred", "_held", "_least", "_most", "idle", "total")

    def __init__(self, slots: int) -> None:
        self._held = [0] * slots
        self._barred: set[int] = set()
        self._least = [(0, slot) for slot in range(slots)]
        self._aside: set[int] = set()
        self._most: list[tuple[int, int]] | None = None  # with negative numbers; made when it is asked for
        self.total = 0
        self.idle = slots

    def of(self, slot: int) -> int:
        """Tasks of a slot."""
        return self._held[slot]

    def add(self, slot: int, count: int) -> None:
        """A slot has got so many more, or less than nothing: so many fewer."""
        held = self._held
        before = held[slot]
        held[slot] = now = before + count
        self.total += count
        self.idle += (not now) - (not before)
        least = self._least
        heappush(least, (now, slot))
        if len(least) > _ROOM * len(held) + 64:
            self._least = least = [(tasks, slot) for slot, tasks in enumerate(held)]
            heapify(least)
        if count > 0 and self._most is not None:
            heappush(self._most, (-now, slot))
            if len(self._most) > _ROOM * len(held) + 64:
                self._most = None

    def bar(self, slot: int) -> None:
        """The slot is not to be asked for as the one with the least tasks."""
        self._barred.add(slot)

    def admit(self, slot: int) -> None:
        """It is again. Without effect if it was all the time."""
        if slot in self._barred:
            self._barred.discard(slot)
            heappush(self._least, (self._held[slot], slot))

    def least(self) -> int | None:
        """The slot with the least tasks, the first of equals; ``None`` if all are barred."""
        heap, held, barred = self._least, self._held, self._barred
        while heap:
            tasks, slot = heap[0]
            if tasks == held[slot] and slot not in barred:
                return slot
            heappop(heap)
        return None

    def set_aside(self, slot: int) -> None:
        """The slot is not to be asked for as the one with the most tasks."""
        self._aside.add(slot)

    def reconsider(self, slot: int) -> None:
        """It is again. Without effect if it was all the time."""
        if slot in self._aside:
            self._aside.discard(slot)
            if self._most is not None:
                heappush(self._most, (-self._held[slot], slot))

    def most(self) -> int | None:
        """The slot with the most tasks, the first of equals; ``None`` if all are set aside."""
        held, aside = self._held, self._aside
        if self._most is None:
            self._most = [(-tasks, slot) for slot, tasks in enumerate(held)]
            heapify(self._most)
        heap = self._most
        while heap:
            tasks, slot = heap[0]
            if slot in aside:
                heappop(heap)
            elif -tasks != held[slot]:
                heapreplace(heap, (-held[slot], slot))
            else:
                return slot
        return None
