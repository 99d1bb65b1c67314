"""What tests of families ask: who shares a key, and who must not."""

import copy
import pickle
from collections.abc import Callable, Iterable
from typing import Any

from lightwork.hashing import hash as key_of

# Any: values of every library there is.


def assert_apart(values: Iterable[Any]) -> None:
    """No two values share a key."""
    keys: dict[str, Any] = {}
    for value in values:
        key = key_of(value)
        assert key not in keys, f"{value!r} and {keys[key]!r} have one key"
        keys[key] = value


def assert_one_key(values: Iterable[Any]) -> None:
    """All values share a key, on their own and inside of others."""
    first, *others = values
    assert others
    for other in others:
        assert key_of(other) == key_of(first), f"{other!r} and {first!r} have two keys"
        assert key_of({"a": [other, 1]}) == key_of({"a": [first, 1]})


def assert_copies_agree(make: Callable[[], Any], *, pickled: bool = True) -> None:
    """A value, one built anew, its deep copy and what pickle makes of it have one key."""
    value = make()
    copies = [value, make(), copy.deepcopy(value)]
    if pickled:
        copies.append(pickle.loads(pickle.dumps(value)))
    assert_one_key(copies)
