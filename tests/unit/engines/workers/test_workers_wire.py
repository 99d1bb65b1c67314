"""What may share a pickle."""

import pickle
from typing import Any

import pytest

from lightwork.engines.workers.wire import is_plain, transpose

SHARED: list[int] = [1]


class Named(tuple[Any, ...]):
    """Its class would have to be looked up."""


@pytest.mark.parametrize(
    "values",
    [
        [1, 2.0, "a", b"b", None, True],
        [(1, "a"), (2, "b")],
        [[1], [1]],
        [{"a": 1}, {"a": 1}],
        [{"a": [1, (2, 3)]}, {"a": [1, (2, 3)]}],
        [(), ()],
    ],
)
def test_scalars_and_fresh_containers_of_them_are_plain(values: list[Any]) -> None:
    """They arrive from one pickle as they would from one each."""
    assert is_plain(values)
    assert pickle.loads(pickle.dumps(values)) == values


@pytest.mark.parametrize(
    "values",
    [
        [SHARED, SHARED],
        [[SHARED], [SHARED]],
        [(SHARED,), {"a": SHARED}],
        [{"a": SHARED}, SHARED],
        [{1}, {2}],
        [Named((1,)), Named((2,))],
        [{("a", 1): 2.0, "b": bytearray(b"c")}],
        [[[[[[1]]]]]],
        [list(range(1000)), [1]],
    ],
)
def test_what_is_shared_or_strange_or_large_is_not_plain(values: list[Any]) -> None:
    """A list that is there twice would be one list; users have types that do anything; size gains little."""
    assert not is_plain(values)


def test_columns_hold_each_list_once() -> None:
    """A list that two tasks are given keeps their arguments from being columns."""
    assert transpose([([1], 2), ([1], 3)]) == [([1], [1]), (2, 3)]
    assert transpose([(SHARED, 2), (SHARED, 3)]) is None
    assert transpose([(1,), (1, 2)]) is None
    assert transpose([(), ()]) == []
