"""Keys of library values: the same in another process under another hash seed, and in every release."""

import json
import os
import subprocess
import sys

import pytest

from lightwork.hashing import hash as key_of
from tests.unit.hashing.families import FAMILIES, TENSORS, keys

KEYS: dict[str, str] = {
    "array": "5cef68517851f907fd27fa1c3b14742fc662e9899cbde79fc5203469acaf1419",
    "fraction": "48cf809308a2e199c7332e1dc2b98661c52431bf19c4a6d53bc5f0a5b61949fc",
    "zone": "5cf3fb4c9a256952252aaf8c37f96f5906572b45c2495ce842dff5ff86537ebf",
    "generator": "068780715adbbe635db524866ae756ddcf4dd3548dace17885532bd84804f37d",
    "random state": "e3bf64a4b2bd07278e69ba3a4fac78caae4a66c74e1bf0d1f4bcb68eaf2af507",
    "seeds": "ac81757b93071901778c8845517794f8ade49649c2739be3a5ad338f2e54cc1b",
    "masked": "20520fb14b7fe73e51beb6e710a9a0d6b464ce4f8b2715c63a1cee4c3df81106",
    "ufunc": "05611a20d97012cadb94221d8e82037ce88df090946720cfec0382fde3b58a3b",
    "frame": "0d235a63cb70e0291ba88b5786c14563033910f81884752102c983e04e86c850",
    "index": "e8547c34d0a8cf3bf56f087cfdde14a3eaf2a22f247d744f088584f67a37fb05",
    "timestamp": "85767f4e99991160d69c81f2ab7d202b1dcd90af6b0897b2b9d52555ff4cc481",
    "csr": "7139564ddf6d48a60e6a185386693d1e31a6d32528de1e6074b44da9a0e112b6",
    "coo": "6b955124b3162f5f0be6a738bc9b243b1743de587317e296fc55008b4b1d989d",
    "dia": "3a6b9a9d67d7c8b3f4e645117b041e9ad8f94b29a4b6e26f8b3673db4e1c53ca",
    "tree": "4d76ebb35aa96ca846700be65d34dc05b2696fd054b7522b5ebac82f2b5411b6",
    "arrow": "3fdc13499e51dbae1b030bbf8570bc5e9050e9ba4c8c195a174b701d99a0b20b",
    "arrow table": "2ce08b46c11e5a995f95a2e1402c73fc1508114ee89e5989d0366c06b79c6795",
    "arrow schema": "3e8606fb30343bb72d6a89eb78b5e256c0dd884dbf54bcc7fe0258afdd1b4ba7",
    "polars": "fdca07e840fdeb8a9471ee3b37ec60b49b9910806bf0da17a71c82a98a29bfef",
    "polars types": "03188b7ed0e1bb868458b9e920d0fe3b48f8667968a3f9354db7349aff00b474",
    "xarray": "998fb917cb2b5422a75ddd8628ae57a45d23d4b531e18c996e49c243e2603978",
    "model": "8767874bf1f88f50d2becf21570e88d0e25192a5b670a9552f8d5bcbe2c8cfb9",
    "record": "ea06d86f650e6c14de467e1be9263ff0555f000d8a0d27088520a72b89aaefae",
    "estimator": "bc754300601c7272010691740e4a76900524684f12cf3483cde6810f35141ce6",
    "tensor": "da99b22453eb723509e37d8e3f22613066863082003b280afc2f0ece172743d8",
    "bfloat16": "eaa86f8226831cb506894fb58176f68d7dc8927c6d29531d553340e3ce8fd056",
    "parameter": "5a4f1148ae857a9f2ccdc74131715668eb6088bb0ef3fb6ae7209b4055d7c104",
    "state dict": "555d2d7a7bae6e3691924061d82880a6534a8f8462d021475ff82b3d9f0b04b4",
    "module": "b9936562f9185f6125e4f78d376baceb715770407e4f296017ce89ef503f03bc",
    "torch generator": "ac4c14b251d1f36454ea8e23d1a9377dae3250f3a478aca23c2c5ae3f09a5ead",
}


@pytest.mark.parametrize("name", FAMILIES)
def test_keys_of_families_do_not_change_between_releases(name: str) -> None:
    """A change here makes caches miss: then the scheme gets another number."""
    assert key_of(FAMILIES[name]()) == KEYS[name]


@pytest.mark.parametrize("name", TENSORS)
def test_keys_of_tensors_do_not_change_between_releases(name: str) -> None:
    """As above; none where torch is not installed."""
    assert key_of(TENSORS[name]()) == KEYS[name]


@pytest.mark.slow
def test_another_process_has_the_same_keys() -> None:
    """Sets, addresses and caches of libraries lie elsewhere there."""
    script = "import json; from tests.unit.hashing.families import keys; print(json.dumps(keys()))"
    command = [sys.executable, "-c", script]
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    done = subprocess.run(
        command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == keys()
