"""Tensors leave the pickle, and stay what they are to each other."""

from typing import Any

import numpy as np
import pytest

from lightwork.parcel.parcels import Parcel, join, split
from lightwork.parcel.rebuild_torch import storage as rebuilt_storage

torch: Any = pytest.importorskip("torch")  # Any: the tests run without it too
ROWS = 30_000


def both(value: Any) -> tuple[Parcel, Any]:
    parcel = split(value)
    return parcel, join(parcel.skeleton, [bytearray(buffer) for buffer in parcel.buffers])


def back(value: Any) -> Any:
    return both(value)[1]


DTYPES = [
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
    *(torch.complex64, torch.complex128),
]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_tensors_of_every_dtype(dtype: Any) -> None:
    """Dtype, shape and bits are the same; the bytes are one buffer; the tensor is writable."""
    value = torch.arange(ROWS).remainder(100).to(dtype).reshape(100, -1)
    parcel, found = both(value)
    assert len(parcel.skeleton) < 1000
    assert [len(buffer) for buffer in parcel.buffers] == [value.nbytes]
    assert (found.dtype, found.shape) == (dtype, value.shape)
    assert torch.equal(found.view(torch.uint8), value.view(torch.uint8))
    found.zero_()


@pytest.mark.parametrize(
    "value",
    [
        torch.arange(12.0).reshape(3, 4).T,
        torch.arange(12.0)[::2],
        torch.tensor(3.5),
        torch.zeros(0, 3),
        torch.zeros(3).expand(2, 3),
        torch.rand(5, requires_grad=True),
        torch.arange(6.0).to_sparse(),
        torch.rand(3, dtype=torch.complex64).conj(),
        torch.zeros(3, device="meta"),
    ],
    ids=["transposed", "strided", "no dimension", "empty", "expanded", "grad", "coo", "conj", "meta"],
)
def test_tensors_of_every_layout(value: Any) -> None:
    """Strides, gradients and the kinds of tensor that are more than a storage survive."""
    found = back(value)
    assert (found.dtype, found.shape, found.layout) == (value.dtype, value.shape, value.layout)
    assert found.requires_grad == value.requires_grad
    assert found.device == value.device
    if value.layout is torch.strided:
        assert found.stride() == value.stride()
    if not value.is_meta:
        assert torch.equal(found.to_dense(), value.to_dense())


def test_tensors_are_not_copied_in_either_direction() -> None:
    """The buffer is the tensor's memory, and the joined tensor's memory is the buffer."""
    value = torch.rand(ROWS)
    parcel = split(value)
    assert np.shares_memory(np.frombuffer(parcel.buffers[0], "u1"), value.numpy())
    content = bytearray(parcel.buffers[0])
    found = join(parcel.skeleton, [content])
    assert found.data_ptr() == np.frombuffer(content, "u1").ctypes.data


@pytest.mark.parametrize("rows", [10, ROWS])
def test_views_of_one_storage_stay_views_of_one_storage(rows: int) -> None:
    """A change to one is seen in the other, however large they are, and the bytes are there once."""
    whole = torch.rand(rows)
    parcel, (first, second) = both([whole, whole[5:]])
    assert sum(map(len, parcel.buffers)) <= whole.nbytes + 16
    first[5] = 77
    assert second[0] == 77


def test_tied_weights_stay_tied() -> None:
    """One parameter under two names is one parameter afterwards."""
    model = torch.nn.Sequential(torch.nn.Linear(200, 200), torch.nn.Linear(200, 200))
    model[1].weight = model[0].weight
    parcel, found = both(model)
    assert len(parcel.skeleton) < 3000
    assert found[0].weight is found[1].weight
    assert isinstance(found[0].weight, torch.nn.Parameter)
    assert found[0].weight.requires_grad
    data = torch.rand(3, 200)
    assert torch.equal(found(data), model(data))


@pytest.mark.slow
def test_a_state_dict_and_an_optimizer() -> None:
    """They load into a model as those of ``torch.save`` do, and frozen parameters stay frozen."""
    model = torch.nn.Linear(300, 200)
    model.bias.requires_grad = False
    optimizer = torch.optim.Adam([model.weight])
    model(torch.rand(2, 300)).sum().backward()
    optimizer.step()
    state, steps, copied = back((model.state_dict(), optimizer.state_dict(), model))
    assert not copied.bias.requires_grad
    assert all(torch.equal(state[name], item) for name, item in model.state_dict().items())
    assert torch.equal(steps["state"][0]["exp_avg"], optimizer.state_dict()["state"][0]["exp_avg"])
    torch.nn.Linear(300, 200).load_state_dict(state)


def test_attributes_of_a_tensor_survive() -> None:
    """Of tensors and parameters, also those that refer back."""
    for value in (torch.rand(ROWS), torch.nn.Parameter(torch.rand(ROWS))):
        value.name_of_mine, value.myself = "x", value
        parcel, found = both(value)
        assert len(parcel.skeleton) < 1000
        assert (type(found), found.name_of_mine) == (type(value), "x")
        assert found.myself is found


def test_storages_of_absent_devices_come_to_the_cpu() -> None:
    """What was on a device that this machine does not have can be used all the same."""
    made = rebuilt_storage(np.arange(4, dtype="u1"), "cuda:99")
    assert made.device.type == "cpu"
    assert made.tolist() == [0, 1, 2, 3]


def test_read_only_bytes_are_copied() -> None:
    """torch knows no read-only tensors: writing to one would end the process."""
    parcel = split(torch.rand(ROWS))
    content = bytes(parcel.buffers[0])
    found = join(parcel.skeleton, [content])
    found.zero_()
    assert any(content)
