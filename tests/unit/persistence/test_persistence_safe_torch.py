"""`load(safe=True)` on tensors: those of strangers lie in their storages, or they are refused."""

from typing import Any

import numpy as np
import pytest

from lightwork import dump as dump_to
from lightwork import dumps, load, loads
from lightwork.errors import FileFormatError
from tests.unit.persistence.hostile_skeletons import (
    BUILD,
    array,
    call,
    group,
    mapping,
    name,
    number,
    pickled,
    text,
)

torch: Any = pytest.importorskip("torch")  # Any: the tests run without it too
TRUE, FALSE = b"\x88", b"\x89"
REBUILD = "lightwork.parcel.rebuild_torch"


def storage(nbytes: int = 16, device: str = "cpu") -> bytes:
    return call(f"{REBUILD}:storage", array(np.zeros(nbytes, "u1")), text(device))


def tensor(
    *,
    kind: str = "torch:float32",
    offset: int = 0,
    shape: tuple[int, ...] = (4,),
    strides: tuple[int, ...] = (1,),
    held: bytes | None = None,
    requires_grad: bytes = FALSE,
) -> bytes:
    numbers = [group(*map(number, each)) for each in (shape, strides)]
    return call(f"{REBUILD}:tensor", held or storage(), name(kind), number(offset), *numbers, requires_grad)


def attributes(**items: bytes) -> bytes:
    return call(f"{REBUILD}:set_attributes", tensor(), mapping(**items))


@pytest.mark.parametrize(
    "value",
    [
        torch.arange(12.0).reshape(3, 4).T,
        torch.rand(30_000),
        torch.rand(5, requires_grad=True),
        torch.tensor([True, False]),
        torch.tensor(1.5, dtype=torch.bfloat16),
        torch.zeros(0, 3),
        torch.zeros(3).expand(2, 3),
        torch.nn.Parameter(torch.rand(3)),
        torch.rand(3).untyped_storage(),
    ],
    ids=[
        "transposed",
        "large",
        "grad",
        "truths",
        "no dimension",
        "empty",
        "expanded",
        "parameter",
        "storage",
    ],
)
def test_tensors_are_built(value: Any) -> None:
    """In type, dtype, layout and content; raw and compressed."""
    for compress in (0, True):
        found = loads(dumps(value, compress), safe=True)
        assert type(found) is type(value)
        if isinstance(value, torch.UntypedStorage):
            assert found.tolist() == value.tolist()
            continue
        assert (found.dtype, found.stride()) == (value.dtype, value.stride())
        assert found.requires_grad == value.requires_grad
        assert torch.equal(found, value)


def test_a_state_dict_is_built(tmp_path: Any) -> None:
    """With the versions of its modules; read and mapped; two tensors of one storage stay that."""
    model = torch.nn.Sequential(torch.nn.Linear(100, 100), torch.nn.BatchNorm1d(100))
    state, path = model.state_dict(), tmp_path / "x.lw"
    state["again"] = state["0.weight"][1:]
    dump_to(state, path)
    for mode in (None, "r", "c"):
        found = load(path, mmap_mode=mode, safe=True)
        assert found._metadata == state._metadata
        assert all(torch.equal(found[key], item) for key, item in state.items())
        assert found["again"].untyped_storage().data_ptr() == found["0.weight"].untyped_storage().data_ptr()


def test_attributes_of_ones_own_are_set() -> None:
    """Those that a tensor does not have by itself."""
    value = torch.rand(3)
    value.origin, value.me = "here", value
    found = loads(dumps(value), safe=True)
    assert found.origin == "here"
    assert found.me is found


HOSTILE: dict[str, tuple[bytes, str]] = {
    "too long": (tensor(shape=(5,)), "not in a storage"),
    "offset": (tensor(offset=1), "not in a storage"),
    "offset of nothing": (tensor(offset=1 << 40, shape=(0,)), "not in a storage"),
    "offset below": (tensor(offset=-1), "no shape and strides"),
    "stride": (tensor(shape=(2,), strides=(4,)), "not in a storage"),
    "stride below": (tensor(strides=(-1,)), "as a shape what is none"),
    "strides few": (tensor(strides=()), "no shape and strides"),
    "shape below": (tensor(shape=(-4,)), "as a shape what is none"),
    "overflow": (tensor(shape=(1 << 32, 1 << 32), strides=(0, 0)), "not in a storage"),
    "stride 2**63": (tensor(shape=(1,), strides=(1 << 63,)), "as a shape what is none"),
    "repeated": (tensor(shape=(1 << 40,), strides=(0,)), "bytes of memory"),
    "dtype": (tensor(kind="builtins:int"), "a dtype"),
    "quantized": (tensor(kind="torch:qint8"), "torch.qint8"),
    "truths": (
        tensor(
            kind="torch:bool",
            held=call(f"{REBUILD}:storage", array(np.full(4, 2, "u1")), text("cpu")),
        ),
        "neither 0 nor 1",
    ),
    "gradient": (tensor(requires_grad=text("x")), "gradient"),
    "gradient of numbers": (tensor(kind="torch:int32", requires_grad=TRUE), "nonsense"),
    "no storage": (tensor(held=array([1])), "a storage"),
    "storage of reals": (call(f"{REBUILD}:storage", array([1.0]), text("cpu")), "has dtype float64"),
    "device": (storage(device="meta"), "no device"),
    "long device": (storage(device="cuda:" + "9" * 1000), "no device"),
    "parameter": (call(f"{REBUILD}:parameter", array([1]), TRUE), "a tensor"),
    "hidden attribute": (attributes(_backward_hooks=b"}"), "sets the attribute"),
    "method": (attributes(numpy=name("builtins:list")), "sets the attribute"),
    "attributes of a list": (call(f"{REBUILD}:set_attributes", b"]", mapping(a=b"N")), "a tensor"),
    "own way": (call("torch._utils:_rebuild_tensor_v2", storage()), "torch._utils"),
    "state of a dict": (
        call("collections:OrderedDict") + mapping(items=name("builtins:list")) + BUILD,
        "OrderedDict",
    ),
}


@pytest.mark.parametrize("short", HOSTILE)
def test_a_hostile_tensor_is_refused(short: str) -> None:
    """Before torch gets to see it."""
    value, message = HOSTILE[short]
    with pytest.raises(FileFormatError) as caught:
        loads(pickled(value), safe=True)
    assert message in str(caught.value)
