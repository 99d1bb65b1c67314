"""Keys that must never change under scheme number 1: caches outlive releases."""

from collections import OrderedDict
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pytest

from lightwork.hashing import hash as key_of

VALUES: dict[str, Any] = {
    "none": None,
    "int": 123456789,
    "float": 0.1,
    "text": "This is a string to hash",
    "long text": "é" * 50_000,
    "list": [1, 2.0, "3", b"4", None, True],
    "ints": list(range(1000)),
    "texts": ["a", "b\0", "", "c"],
    "dict": {"abcde": 123, "sadfas": [-9999, 2, 3]},
    "mixed dict": {1: "a", "b": (2, frozenset({"x", "y"}))},
    "big dict": {str(i): i * 0.5 for i in range(100)},
    "ordered": OrderedDict(b=1, a=2),
    "records": [{"id": i, "tags": ["x"] * i} for i in range(5)],
    "decimal": Decimal("1.50"),
    "path": PurePosixPath("/a/b"),
    "array": np.arange(24, dtype="<f8").reshape(2, 3, 4),
    "large array": np.arange(3_000_000, dtype="<i8"),
    "strided array": np.arange(6_000_000, dtype="<i8")[::2],
    "dates": np.array(["2020-01-01", "NaT"], "<M8[D]"),
    "structure": np.zeros(3, [("a", "<i4"), ("b", "<f8")]),
    "arrays": [np.arange(n, dtype="<i4") for n in range(6)],
    "scalar": np.float32(1.5),
    "class": int,
    "function": len,
}

KEYS = {
    "none": "c806aceb31aa40fde773db464e851ea1d12de98c5d1467ea0fe9a19cb5f9abca",
    "int": "f15a6d69f024534b39a51cc0e711b838c060c33505deb6d30199a260f8c5508c",
    "float": "7e96b12d0a7fed9d80fd1c7909781ed07aa5c895c6a916e972e3f3d9cbd98823",
    "text": "42c41256db02eea129137717b7492dd39993beebb4bef3e7e8932d2838b15d7a",
    "long text": "0380d359baae2daeee52d7df0daf136b8e490c8475885a4968db985549645f2d",
    "list": "3e1d4ea8bacf8715c51f8f3fc6a07fa5067a504c541300806e31d8f4f301ce28",
    "ints": "445426fb1b68e0b837a7b9550a81a4f4b5baf5799c8d084b5d8f42a84fc226e1",
    "texts": "2c25a23275383156d91951bbfbf8c5af857c56d11923fb594800724cfc65bd15",
    "dict": "242a1365297f2fabb6ef693994ebda7fc0ed35f3882c7dbd3c2764d0e70b2c80",
    "mixed dict": "fcecb78b8b2daa27ed9637a8a47f560d59041ee130d56d8ae9e6a929ea08b348",
    "big dict": "a2c56f2d918879a3b3af3989c86620299067863216a3b1d4b54167eb63703580",
    "ordered": "79f49d69f21af31a6d20451332b66eff23c5139a450b6fc1adb58d1e75119b26",
    "records": "e923cca15df33f1f2ff5eeb9bb55980b1a1b7d249d8050ba06e0460fcd0d3c98",
    "decimal": "6205ccc7d1740641f6d9446dff99f15bddbc31eb64264da166a8a8ffd7ff2f10",
    "path": "f22855127baa8fe4e91577bb6e12c02052ae32bed71ad5e6a7b1341b65dd73f9",
    "array": "ce6d6f2150898b8bf7475baab5152412f612691bb617f29ae46870410be06ed9",
    "large array": "a9f9f1991d27973a144e0cb398cc2f3cd44e73ba238add385df0ee14f3fddb2f",
    "strided array": "d0e6444d08cf8ddc24d942deecba33ebec3021523c74c1a39785140271df2024",
    "dates": "ea4f2e37e6977bc88eabde9ee46e96e4e8552e8aa13c2f095a55f5fee0e852a9",
    "structure": "22f9b4bd3eed644ba2bfcd5e26bf154a658f4b1aaa5f14dc497d3f41062aaf33",
    "arrays": "cf528b6240b78a19746a18994e30fd4799d1851cdf1580a4c6448c9857297f58",
    "scalar": "719bb1cf9ca39bc8091845564db5ab6bb23cf59a2f601ea06677980bcf0c5400",
    "class": "d118542189befdf878b717454ca7aefc379fbb8eddc5f6c7e029ee8d599db3d5",
    "function": "a4d79c807a21ee5d456514a2dc64295a53e2150c28c14f40a957dc2973518cb3",
}


@pytest.mark.parametrize("name", VALUES)
def test_keys_do_not_change_between_releases(name: str) -> None:
    """A change here makes every cache miss: then the scheme gets another number."""
    assert key_of(VALUES[name]) == KEYS[name]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("md5", "09cc0bfdf2f72c9549827d80fa6ea5ae"),
        ("sha256", "cdc46f71fa9de56c5aa90cf00a69577326e9f9958449e95dbafcdbae4a86aa46"),
    ],
)
def test_other_algorithms_do_not_change_either(name: str, expected: str) -> None:
    """The same scheme over another digest."""
    assert key_of(VALUES["dict"], hash_name=name) == expected
