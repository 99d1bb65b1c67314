import pickle
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lightwork.errors import CacheWarning, InvalidOption
from lightwork.memory import Memory
from lightwork.stores import TransientStore


def double(x: int) -> int:
    return 2 * x


def text(nbytes: int) -> bytes:
    return bytes(nbytes)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_bytes": "many"}, "max_bytes='many'"),
        ({"max_bytes": -1}, "max_bytes=-1"),
        ({"max_bytes": 0}, "max_bytes=0"),
        ({"max_items": 0}, "max_items=0"),
        ({"max_items": 1.5}, "max_items=1.5"),
        ({"max_items": True}, "max_items=True"),
        ({"max_age": "soon"}, "max_age='soon'"),
        ({"max_age": timedelta(0)}, "max_age="),
    ],
)
def test_what_is_no_limit_is_refused(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    """By name, before anything happens."""
    with pytest.raises(InvalidOption, match=words):
        Memory(tmp_path, **options)


def test_a_store_without_limits_is_refused() -> None:
    """Limits that nobody would keep are not accepted in silence."""
    with pytest.raises(InvalidOption, match="SupportsLimits"):
        Memory(store=TransientStore(), max_items=3)


def test_limits_hold_without_a_call_and_travel(tmp_path: Path) -> None:
    """No more results than allowed, from the memory, its functions, and from copies of both."""
    memory = Memory(tmp_path, max_items=3, max_age="30 days", max_bytes="1GB")
    cached = memory.cache(double)
    again = pickle.loads(pickle.dumps(memory)).cache(double)
    assert memory.store is not None
    for number in range(5):
        cached(number)
        again(100 + number)
        pickle.loads(pickle.dumps(cached))(200 + number)
        assert len(list(memory.store.scan())) <= 3
    assert cached.check_call_in_cache(4)


def test_a_result_larger_than_the_limit_is_returned(tmp_path: Path) -> None:
    """It is not kept, a warning says so once, and what is kept stays."""
    memory = Memory(tmp_path, max_bytes="4M")
    cached = memory.cache(text)
    cached(1)
    with pytest.warns(CacheWarning, match="no room for") as caught:
        assert [len(cached(5 << 20)), len(cached(6 << 20))] == [5 << 20, 6 << 20]
    assert len(caught) == 1
    assert cached.check_call_in_cache(1)
