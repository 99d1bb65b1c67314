"""Weights that many tasks share."""

from typing import Any

import pytest

from lightwork.engines.processes.publishing import Publisher
from lightwork.parcel.pickling import make_pickler

torch: Any = pytest.importorskip("torch")  # Any: the tests run without it too


class _Nowhere:
    def write(self, data: Any) -> None:
        pass


def _places(publisher: Publisher, *values: Any) -> list[Any]:
    """Where the buffers of some values go, each value a message."""
    found: list[Any] = []
    pickler = make_pickler(_Nowhere(), buffer_callback=lambda buffer: found.append(publisher.place(buffer)))
    for value in values:
        pickler.dump(value)
        pickler.clear_memo()
    return found


def test_a_tensor_is_published_at_its_second_sight() -> None:
    """The tensor itself, a parameter with its memory, or a view: it is the storage that counts."""
    tensor = torch.rand(100_000)
    publisher = Publisher()
    first, *later = _places(publisher, tensor, tensor, torch.nn.Parameter(tensor), tensor[5:])
    assert isinstance(first, memoryview)
    assert later == [0, 0, 0]
    publisher.close()


def test_a_storage_in_the_place_of_a_dead_one_is_not_taken_for_it() -> None:
    """Memory is used again; what was seen there before counts no more."""
    publisher = Publisher()
    for _ in range(20):
        (found,) = _places(publisher, torch.rand(100_000))
        assert isinstance(found, memoryview)
        del found
    publisher.close()
