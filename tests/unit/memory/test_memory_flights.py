"""One computation for one key."""

from lightwork.memory.flights import Flights
from lightwork.stores import TransientStore


def test_a_thread_never_waits_for_itself() -> None:
    """An interrupt may leave a ticket behind; the same call is computed at once."""
    flights = Flights(TransientStore())
    key = bytes(32)
    flights.board(key, bound=60.0)
    again = flights.board(key, bound=60.0)
    assert again.is_leader
    flights.land(again, failed=False)
