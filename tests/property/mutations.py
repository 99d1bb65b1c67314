"""Damage with right checksums: the instructions of skeletons are changed, and the parts of containers."""

import random
import struct
from typing import NamedTuple

from lightwork.parcel import layout
from lightwork.persistence.safe.opcodes import OPCODES
from tests.unit.persistence.hostile_skeletons import name, sealed, text

EDGES = (
    0,
    1,
    2,
    7,
    8,
    127,
    128,
    255,
    256,
    65535,
    1 << 20,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    (1 << 63) - 1,
)
# Names to put in the place of others: some that are admitted for other uses, some that are not.
NAMES = (
    "numpy:ndarray",
    "numpy:dtype",
    "numpy._core.multiarray:_reconstruct",
    "numpy._core.multiarray:scalar",
    "lightwork.parcel.rebuild:array_type",
    "builtins:memoryview",
    "builtins:list",
    "collections:deque",
    "collections:Counter",
    "pandas:DataFrame",
    "pandas:Series",
    "pandas:Index",
    "pandas:MultiIndex",
    "pandas.core.indexes.base:_new_Index",
    "pandas._libs.arrays:__pyx_unpickle_NDArrayBacked",
    "pandas.core.internals.managers:BlockManager",
    "scipy.sparse._csr:csr_matrix",
    "lightwork.parcel.rebuild:masked_array",
    "lightwork.parcel.rebuild:text_array",
    "lightwork.parcel.rebuild:view_as",
    "lightwork.parcel.rebuild_pandas:arrow_column",
    "lightwork.parcel.rebuild_polars:frame",
    "lightwork.parcel.rebuild_torch:tensor",
    "torch:bool",
    "pyarrow.lib:list_",
    "pyarrow.lib:type_for_alias",
    "pyarrow.lib:_restore_array",
    "pyarrow.lib:chunked_array",
    "os:system",
)
ALIASES = ("int8", "int64", "string", "large_string", "string_view", "null", "bool", "uuid")
"""Types of arrow."""


class Seed(NamedTuple):
    """A value taken apart, to be changed."""

    skeleton: bytes
    buffers: tuple[bytes, ...]


def instructions(skeleton: bytes) -> list[bytes]:
    """A skeleton, cut after each instruction."""
    found, at = [], 0
    while at < len(skeleton):
        opcode = OPCODES[skeleton[at]]
        end = at + 1 + opcode.argument + opcode.counted
        if opcode.counted:
            end += int.from_bytes(skeleton[at + 1 : end], "little")
        found.append(skeleton[at:end])
        at = end
    return found


def mutated_seed(seeds: list[Seed], chance: random.Random) -> bytes:
    """A container around a skeleton some of whose instructions were changed, or whose buffers were."""
    seed = chance.choice(seeds)
    parts = [part for part in instructions(seed.skeleton) if part[:1] != b"\x95"]  # frames would give it away
    buffers = list(seed.buffers)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        place = chance.randrange(1, len(parts))
        kind = chance.random()
        if kind < 0.3:  # most changes leave the structure as it is, so that constructors get to see them
            parts[place] = _other_argument(parts[place], chance)
        elif kind < 0.45:
            _other_value(parts, place, seeds, chance)
        elif kind < 0.6:
            _other_name(parts, place, chance)
        elif kind < 0.8 and buffers:
            index = chance.randrange(len(buffers))
            buffers[index] = _other_buffer(buffers[index], chance)
        else:
            _other_structure(parts, place, seeds, chance)
        if len(parts) < 3:
            break
    return sealed(b"".join(parts), buffers=tuple(buffers))


def _other_value(parts: list[bytes], place: int, seeds: list[Seed], chance: random.Random) -> None:
    """A scalar in the place of the next scalar."""
    scalars = [part for part in instructions(chance.choice(seeds).skeleton) if _is_scalar(part)]
    for at in range(place, len(parts)):
        if _is_scalar(parts[at]) and scalars:
            parts[at] = chance.choice(scalars)
            return


def _is_scalar(part: bytes) -> bool:
    opcode = OPCODES.get(part[0])
    return opcode is not None and (opcode.takes, opcode.gives, opcode.to_mark) == (0, 1, False)


def _other_name(parts: list[bytes], place: int, chance: random.Random) -> None:
    """Another name in the place of the next one that is written out."""
    for at in range(place, len(parts)):
        if parts[at] == b"\x93":
            texts = [before for before in range(max(0, at - 4), at) if parts[before][:1] in (b"\x8c", b"X")]
            module, _, last = chance.choice(NAMES).rpartition(":")
            for before, content in zip(texts[-2:], (module, last), strict=False):
                parts[before] = text(content)
            return


def _other_buffer(buffer: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.3:
        return chance.choice((b"", buffer[:-1], buffer * 2, chance.randbytes(16)))
    content = bytearray(buffer)
    for _ in range(chance.choice((1, 2, 8))):
        place = chance.randrange(len(content) + 1)
        edge = (chance.choice(EDGES) * chance.choice((1, -1))).to_bytes(9, "little", signed=True)
        content[place : place + 8] = edge[: len(content[place : place + 8])]
    return bytes(content)


def _other_structure(parts: list[bytes], place: int, seeds: list[Seed], chance: random.Random) -> None:
    other, kind = chance.randrange(1, len(parts)), chance.randrange(5)
    if kind == 0:
        del parts[place]
    elif kind == 1:
        parts.insert(place, parts[other])
    elif kind == 2:
        parts[place], parts[other] = parts[other], parts[place]
    elif kind == 3:
        parts[place] = chance.choice(instructions(chance.choice(seeds).skeleton))
    else:
        parts[place] = name(chance.choice(NAMES))


def _other_argument(part: bytes, chance: random.Random) -> bytes:
    """The same instruction with another argument, or another number where numbers are."""
    opcode = OPCODES[part[0]]
    start = 1 + opcode.counted
    if opcode.name in ("BININT", "BININT1", "BININT2", "LONG1"):
        value = chance.choice(EDGES) * chance.choice((1, -1))
        content = value.to_bytes(9, "little", signed=True)
        return b"\x8a\x09" + content
    if opcode.name == "BINFLOAT":
        return part[:1] + struct.pack(">d", chance.choice((0.0, -1.0, 1e308, float("nan"), float("inf"))))
    if opcode.name == "SHORT_BINUNICODE":
        return text(
            chance.choice(
                ("", "f8", "O8", "i1", "V8", "U1000000000", "M8", "<", ">", "x" * 300, "\0", *ALIASES)
            )
        )
    if len(part) <= start:
        return bytes([chance.choice(list(OPCODES))]) if chance.random() < 0.2 else part
    changed = bytearray(part)
    changed[chance.randrange(start, len(part))] = chance.randrange(256)
    return bytes(changed)


def mutated_container(data: bytes, chance: random.Random) -> bytes:
    """A container one of whose records has another content, with the checksum that fits."""
    places = [at for tag in (b"SKEL", b"TABL", b"BLOK", b"TAIL") for at in _places(data, tag)]
    at = chance.choice(places)
    tag, codec, width, _, stored, plain, _ = struct.unpack_from("<4sBBHII16s", data, at)
    payload = bytearray(data[at + layout.FRAME : at + layout.FRAME + stored])
    for _ in range(chance.choice((0, 1, 1, 2, 5))):
        kind, place = chance.randrange(4), chance.randrange(len(payload) + 1)
        if kind == 0:
            payload[place : place + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            del payload[place : place + chance.choice((1, 8, 100))]
        elif kind == 2:
            payload[place:place] = chance.choice(EDGES).to_bytes(8, "little")
        else:
            payload[place : place + 8] = chance.choice(EDGES).to_bytes(8, "little")
    if chance.random() < 0.3:
        codec = chance.randrange(6)
    if chance.random() < 0.3:
        width = chance.randrange(256)
    if chance.random() < 0.3:
        plain = chance.choice(EDGES[:11])
    if codec == 0:
        plain = len(payload)
    frame = layout.pack_frame(tag, bytes(payload), codec=codec, width=width, plain=plain)
    changed = data[:at] + frame + payload + data[at + layout.FRAME + stored :]
    footer = layout.unpack_footer(data[-layout.FOOTER :])
    shift = len(changed) - len(data)
    moved = footer._replace(total=len(changed), tail=footer.tail + (shift if at < footer.tail else 0))
    return changed[: -layout.FOOTER] + layout.pack_footer(moved)


def _places(data: bytes, tag: bytes) -> list[int]:
    found, at = [], data.find(tag)
    while at >= 0:
        head = data[at : at + layout.FRAME]
        if len(head) == layout.FRAME and not head[6] and not head[7]:
            found.append(at)
        at = data.find(tag, at + 1)
    return found


def damaged_file(data: bytes, chance: random.Random) -> bytes:
    """Bytes of a file overwritten, removed, repeated or cut off, as accidents do."""
    content = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4))):
        place, length = chance.randrange(len(content) + 1), chance.randrange(40)
        kind = chance.randrange(4)
        if kind == 0:
            content[place : place + length] = chance.randbytes(length)
        elif kind == 1:
            del content[place : place + length]
        elif kind == 2:
            content[place:place] = content[place : place + length]
        else:
            del content[place:]
    return bytes(content)
