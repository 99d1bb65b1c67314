"""Files as joblib wrote them before 0.10 and before 1.2, opcode by opcode."""

import pickle
import zlib
from typing import Any

import numpy as np

MODULE = "joblib.numpy_pickle"


def part(value: Any) -> bytes:
    """The opcodes that make a value, without those that begin and end a pickle."""
    return pickle.dumps(value, 2)[2:-1]


def instance(name: str, state: dict[str, Any], module: str = MODULE) -> bytes:
    """The opcodes that make an instance with this state; the last one is BUILD."""
    return f"c{module}\n{name}\n".encode() + b")\x81" + part(state) + b"b"


def stream(*parts: bytes) -> bytes:
    """A pickle of the list of what the parts make."""
    return b"\x80\x02](" + b"".join(parts) + b"e."


def array_of_1_1(array: Any, module: str = MODULE) -> bytes:
    """A wrapper without the attribute for alignment, and the bytes directly behind it."""
    order = "F" if array.flags.fnc else "C"
    state = {"subclass": np.ndarray, "shape": array.shape, "order": order, "dtype": array.dtype}
    content: bytes = array.tobytes(order)
    return instance("NumpyArrayWrapper", {**state, "allow_mmap": True}, module) + content


def side_array(filename: str, module: str = MODULE, **state: Any) -> bytes:
    """A wrapper of 0.8 or 0.9, whose array is in an ``.npy`` file."""
    return instance("NDArrayWrapper", {"filename": filename, "subclass": np.ndarray, **state}, module)


def compressed_side_array(filename: str, array: Any) -> bytes:
    """A wrapper of 0.8 or 0.9, whose array is in a ``ZF`` file."""
    state = (1, array.shape, array.dtype, array.flags.fnc)
    return instance(
        "ZNDArrayWrapper", {"filename": filename, "init_args": (np.ndarray, (0,), "b"), "state": state}
    )


def zf(content: bytes, *, space: bool = False) -> bytes:
    """A compressed file of 0.8 or 0.9."""
    header = b"ZF" + hex(len(content)).ljust(19).encode()
    return header + b" " * space + zlib.compress(content, 3)
