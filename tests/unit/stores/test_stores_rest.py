import errno

import pytest

from lightwork.errors import StoreUnavailable
from lightwork.stores.objects.rest import Rest


class Hands:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def _is_resting(rest: Rest) -> bool:
    try:
        rest.check()
    except StoreUnavailable:
        return True
    return False


def test_nobody_asks_for_a_while_after_a_failure() -> None:
    """The last error is raised again until the pause is over."""
    clock = Hands()
    rest = Rest(clock, lambda: 0.99)
    rest.check()
    rest.begin(StoreUnavailable(errno.EIO, "gone"))
    with pytest.raises(StoreUnavailable, match="gone") as caught:
        rest.check()
    assert caught.value.errno == errno.EIO
    clock.time = 1.0
    rest.check()


def test_pauses_grow_to_a_minute_and_end_with_an_answer() -> None:
    """Each failure in a row doubles the pause; the first one after an answer begins anew."""
    clock = Hands()
    rest = Rest(clock, lambda: 1.0)
    pauses = []
    for _ in range(8):
        rest.begin(StoreUnavailable(errno.EIO, "gone"))
        begun = clock.time
        while _is_resting(rest):
            clock.time += 0.5
        pauses.append(clock.time - begun)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    rest.end()
    rest.begin(StoreUnavailable(errno.EIO, "gone"))
    clock.time += 1.0
    rest.check()


def test_hosts_do_not_come_back_together() -> None:
    """Half of a pause is chance."""
    clock = Hands()
    rest = Rest(clock, lambda: 0.0)
    rest.begin(StoreUnavailable(errno.EIO, "gone"))
    clock.time = 0.49
    assert _is_resting(rest)
    clock.time = 0.5
    rest.check()


def test_what_took_long_to_fail_is_not_tried_soon() -> None:
    """Of the time of a program at most a sixth goes into requests that fail."""
    clock = Hands()
    rest = Rest(clock, lambda: 1.0)
    rest.begin(StoreUnavailable(errno.EIO, "gone"), lasted=4.0)
    clock.time = 19.9
    assert _is_resting(rest)
    clock.time = 20.0
    rest.check()
    rest.begin(StoreUnavailable(errno.EIO, "gone"), lasted=30.0)
    clock.time = 80.0
    rest.check()
