"""`Loads` against a twin that looks at all slots."""

from hypothesis import given
from hypothesis import strategies as st

from lightwork.parallel.loads import Loads

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["get", "lose", "bar", "admit", "aside", "reconsider"]),
        st.integers(0, 5),
        st.integers(1, 4),
    ),
    max_size=200,
)


@given(st.integers(1, 6), STEPS)
def test_least_and_most_are_those_of_all_slots(slots: int, steps: list[tuple[str, int, int]]) -> None:
    """One of them, whatever has happened before and whichever slots are left out."""
    loads = Loads(slots)
    held, barred, aside = [0] * slots, set[int](), set[int]()
    for what, number, count in steps:
        slot = number % slots
        if what == "get":
            loads.add(slot, count)
            held[slot] += count
        elif what == "lose":
            loads.add(slot, -min(count, held[slot]))
            held[slot] -= min(count, held[slot])
        elif what == "bar":
            loads.bar(slot)
            barred.add(slot)
        elif what == "admit":
            loads.admit(slot)
            barred.discard(slot)
        elif what == "aside":
            loads.set_aside(slot)
            aside.add(slot)
        else:
            loads.reconsider(slot)
            aside.discard(slot)
        free = [slot for slot in range(slots) if slot not in barred]
        least = loads.least(count)
        assert (least is None) == (min((held[slot] for slot in free), default=9999) > count)
        assert least is None or (least in free and held[least] == min(held[slot] for slot in free))
        if number % 2:  # asked for late, too
            rich = [slot for slot in range(slots) if slot not in aside]
            most = loads.most()
            assert (most is None) == (not rich)
            assert most is None or (most in rich and held[most] == max(held[slot] for slot in rich))
        assert (loads.total, loads.idle) == (sum(held), held.count(0))
        assert loads.of(slot) == held[slot]


def test_little_work_stays_with_few_workers() -> None:
    """A slot that has ended its task gets the next one: no other has to start for it."""
    loads = Loads(100)
    for _ in range(1000):
        assert loads.least(0) == 0
        loads.add(0, 1)
        loads.add(0, -1)
