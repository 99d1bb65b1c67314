"""How many tasks each slot holds, and who holds least or most: known without looking at all of them.

With ten thousand workers a look at each of them at each event would take longer than their tasks. So slots
stand in stacks, one for each number of tasks. They are not taken out when their number changes: they are put
on another stack, and what is not true any more is dropped when it comes to the top. Who was put there last
comes first, so that little work stays with few workers. Who holds most is asked at the end of a call: a heap.
"""

from heapq import heapify, heappop, heappush, heapreplace

__all__ = ["Loads"]

_ROOM = 4
"""Entries per slot beyond which stacks or heap are made anew, of the true ones alone."""


class Loads:
    """The tasks of each slot.

    Attributes
    ----------
    total
        Tasks in all slots.
    idle
        Slots that hold none, of those that are open.
    aside
        Slots that are not asked for as those with the most tasks.
    """

    __slots__ = (
        "_barred",
        "_entries",
        "_held",
        "_levels",
        "_most",
        "_most_entries",
        "_open",
        "_stacks",
        "aside",
        "idle",
        "total",
    )

    def __init__(self, slots: int) -> None:
        self._held = [0] * slots
        self._open = slots  # the first so many are open
        self._barred: set[int] = set()
        self.aside: set[int] = set()
        self._levels: list[int] = []  # a heap: numbers of tasks that have a stack
        self._stacks: dict[int, list[int]] = {}
        self._entries = 0  # at most so many in all stacks
        self._most_entries = _ROOM * slots + 64
        self._most: list[tuple[int, int]] | None = None  # with negative numbers; made when it is asked for
        self._stack_all()
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
        if slot < self._open:
            self.idle += (before > 0 and not now) - (not before and now > 0)
        stack = self._stacks.get(now)
        if stack is None:
            self._stacks[now] = stack = []
            heappush(self._levels, now)
        stack.append(slot)
        self._entries += 1
        if self._entries > self._most_entries:
            self._stack_all()
        if count > 0 and self._most is not None:
            heappush(self._most, (-now, slot))
            if len(self._most) > self._most_entries:
                self._most = None

    def open(self, slots: int) -> None:
        """From now on only the first `slots` slots are asked for as those with the least tasks."""
        before, self._open = self._open, slots
        self.idle = self._held[:slots].count(0)
        for slot in range(before, slots):
            self.add(slot, 0)  # which puts it on its stack

    def is_open(self) -> bool:
        """Whether any slot is."""
        return self._open > 0

    def closed(self) -> range:
        """The slots that are not open."""
        return range(self._open, len(self._held))

    def bar(self, slot: int) -> None:
        """The slot is not to be asked for as the one with the least tasks."""
        self._barred.add(slot)

    def admit(self, slot: int) -> None:
        """It is again. Without effect if it was all the time."""
        if slot in self._barred:
            self._barred.discard(slot)
            self.add(slot, 0)  # which puts it on its stack

    def least(self, most: int) -> int | None:
        """A slot with the least tasks, if those are `most` at most; ``None`` if not, or if all are barred."""
        levels, held, barred = self._levels, self._held, self._barred
        while levels:
            level = levels[0]
            if level > most:
                return None
            stack = self._stacks[level]
            while stack:
                slot = stack[-1]
                if held[slot] == level and slot not in barred and slot < self._open:
                    return slot
                stack.pop()
            del self._stacks[heappop(levels)]
        return None

    def set_aside(self, slot: int) -> None:
        """The slot is not to be asked for as the one with the most tasks."""
        self.aside.add(slot)

    def reconsider(self, slot: int) -> None:
        """It is again. Without effect if it was all the time."""
        if slot in self.aside:
            self.aside.discard(slot)
            if self._most is not None:
                heappush(self._most, (-self._held[slot], slot))

    def most(self) -> int | None:
        """A slot with the most tasks, ``None`` if all are set aside."""
        held, aside = self._held, self.aside
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

    def _stack_all(self) -> None:
        """Make the stacks anew."""
        held = self._held
        self._stacks = {}
        for slot in range(len(held) - 1, -1, -1):
            self._stacks.setdefault(held[slot], []).append(slot)
        self._levels = sorted(self._stacks)
        self._entries = len(held)
