"""What the results of a function depend on beside the arguments, to be compared with another process.

Workers import modules as their files are. What a program has changed in them since is not there, so that a
function may be another one than where its cache was asked.
"""

from typing import TYPE_CHECKING, TypeAlias

from .. import hashing

if TYPE_CHECKING:
    from ..hashing.calls import CallKeys

__all__ = ["Basis", "basis_of", "differing"]

Basis: TypeAlias = tuple[bytes, dict[str, bytes]]
"""A digest of all, and short ones of the parts that have names."""

_SHORT = 8
"""Bytes of a digest of a part, which only tells what to name."""


def basis_of(keys: "CallKeys") -> Basis:
    """The basis of a function in this process, as it is now."""
    parts = {name: hashing.digests.BLAKE3.of(token)[:_SHORT] for name, token in keys.parts().items()}
    return _digest(keys), parts


def differing(keys: "CallKeys", basis: Basis) -> list[str]:
    """The names of what is another one in this process; none if nothing is."""
    digest, there = basis
    if _digest(keys) == digest:
        return []
    _, here = basis_of(keys)
    names = sorted(name for name in {*here, *there} if here.get(name) != there.get(name))
    return names or ["something that has no name, such as version="]


def _digest(keys: "CallKeys") -> bytes:
    return hashing.digests.BLAKE3.of(keys.head + keys.code())
