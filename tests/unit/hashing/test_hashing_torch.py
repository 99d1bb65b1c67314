"""torch: tensors by type, shape and elements; modules by what they hold."""

import copy
import pickle
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

from lightwork.errors import UnhashableError
from lightwork.hashing import hash as key_of
from tests.unit.hashing.keys import assert_apart, assert_copies_agree, assert_one_key

torch: Any = pytest.importorskip("torch", reason="torch is not installed")  # Any: it is optional here too


def network(seed: int = 0) -> Any:
    """Some layers, one of which keeps its weights twice."""
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3), torch.nn.LSTM(3, 2))


KINDS = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64",
         "complex64", "complex128", "float8_e5m2"]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_where_elements_lie_does_not_count(kind: str) -> None:
    """Fresh tensors, views, slices of shared storages, strides."""
    tensor = torch.arange(24).reshape(4, 6).to(getattr(torch, kind))
    wide = torch.arange(24).repeat_interleave(2).reshape(4, 12).to(tensor.dtype)
    assert_copies_agree(
        lambda: torch.arange(24).reshape(4, 6).to(tensor.dtype),
        pickled=kind != "float8_e5m2",  # torch cannot
    )
    assert_one_key([tensor, tensor.t().contiguous().t(), wide[:, ::2], torch.cat([tensor, tensor])[4:]])


@pytest.mark.filterwarnings("ignore:Sparse:UserWarning", "ignore:torch.quantize:UserWarning")
def test_tensors_are_apart() -> None:
    """Number type, shape, elements, gradients, class."""
    numbers = torch.arange(6)
    assert_apart(
        [
            numbers,
            numbers.reshape(2, 3),
            numbers + 1,
            numbers[:5],
            numbers.numpy(),
            numbers.to_sparse(),
            (numbers + 1).to_sparse(),
            numbers.reshape(2, 3).to_sparse_csr(),
            torch.tensor(1),
            torch.tensor([1]),
            torch.nn.Parameter(numbers.float()),
            numbers.float().requires_grad_(),
            torch.quantize_per_tensor(numbers.float(), 0.5, 1, torch.quint8),
            torch.quantize_per_tensor(numbers.float(), 0.25, 1, torch.quint8),
            *(numbers.to(getattr(torch, kind)) for kind in KINDS if kind != "int64"),
            torch.float32,
            torch.float64,
            torch.device("cpu"),
            torch.device("cuda:0"),
            torch.Size([1, 2]),
            torch.relu,
            torch.sigmoid,
            torch.nn.functional.softmax,
        ]
    )


@pytest.mark.filterwarnings("ignore:Sparse:UserWarning")
def test_the_order_of_sparse_entries_does_not_count() -> None:
    """And entries of one place are summed, as torch holds them for equal."""
    one = torch.sparse_coo_tensor([[0, 1]], [3, 4], (3,))
    two = torch.sparse_coo_tensor([[1, 0, 1]], [1, 3, 3], (3,))
    assert_one_key([one, two])


def test_conjugated_and_negated_views() -> None:
    """What is still to be carried out counts."""
    numbers = torch.tensor([1 + 2j, 3 - 1j])
    assert_one_key([numbers.conj(), torch.tensor([1 - 2j, 3 + 1j])])
    assert_one_key([numbers.conj().imag, torch.tensor([-2.0, 1.0])])


def test_a_tensor_without_content_has_no_key() -> None:
    """One of the device ``meta`` is only a shape."""
    with pytest.raises(UnhashableError, match=r"value\[0\]"):
        key_of([torch.ones(3, device="meta")])


def test_modules_agree_with_their_copies() -> None:
    """Also after a forward pass; weights, mode, structure and hooks count."""
    assert_copies_agree(network)
    ran = network().eval()
    before = key_of(ran)
    ran[:2](torch.ones(4, 2))
    assert key_of(ran) == before
    hooked = network()
    hooked.register_forward_hook(print)
    late = network()
    late.register_forward_hook(len).remove()
    assert key_of(late) == key_of(network())
    late.register_forward_hook(print)
    assert key_of(late) == key_of(hooked)
    two = [network(), network()]
    for place, module in enumerate(two):
        module.register_forward_hook(print, with_kwargs=place == 0)
        module.register_forward_hook(len, with_kwargs=place == 1)
    assert_apart(two)
    noted = [network() for _ in range(3)]
    noted[0]._note, noted[1]._note, noted[2]._note = [], {}, None
    assert_apart([network(), *noted])
    frozen = network().requires_grad_(False)
    assert_apart(
        [network(), network(1), ran, hooked, frozen, network()[:2], network()[0], torch.nn.Linear(2, 3)]
    )


def test_a_state_dict_has_no_order() -> None:
    """It is an ordered dictionary, but what its entries are called says all."""
    state = network().state_dict()
    turned = copy.copy(state)
    for name in [*state][::-1][1:]:
        turned.move_to_end(name)
    assert list(turned) != list(state)
    assert_one_key([state, turned, pickle.loads(pickle.dumps(state)), network().state_dict()])
    assert key_of(OrderedDict(state)) != key_of(OrderedDict(turned))
    changed = network().state_dict()
    changed["0.bias"] = changed["0.bias"] + 1
    assert key_of(changed) != key_of(state)


def test_generators_count_by_their_state() -> None:
    """As numpy's do."""
    generator = torch.Generator().manual_seed(3)
    before = key_of(generator)
    assert key_of(torch.Generator().manual_seed(3)) == before != key_of(torch.Generator().manual_seed(4))
    torch.rand(1, generator=generator)
    assert key_of(generator) != before


@pytest.mark.slow
def test_optimizers_agree_with_their_copies() -> None:
    """Their state is kept by parameter."""
    assert_copies_agree(lambda: torch.optim.Adam(network().parameters()))
    assert_apart([torch.optim.Adam(network().parameters()), torch.optim.Adam(network().parameters(), lr=0.1)])


def test_tensors_and_arrays_in_one_value() -> None:
    """Rules hold inside of containers, whatever lies beside."""
    assert_copies_agree(lambda: {"a": [torch.ones(2), np.ones(2)], "b": (torch.ones(2),)})
