"""Rules for numpy: arrays by dtype, shape and elements in logical C order, never by layout."""

from functools import lru_cache
from typing import Any

from ..arrays.blocks import Array, flat_view, plain
from ..arrays.padding import clean_blocks, has_padding
from ..system.optional import loaded
from .array_runs import is_plain
from .names import public_name
from .runs import encode_run
from .walk import INLINE, RAW, NotHashable, Rule, Walk, frame

__all__ = ["RULES", "encode_content", "encode_whole", "exact_array"]


def exact_array(walk: Walk, array: Array) -> bytes:
    """Exactly ``numpy.ndarray``, or ``numpy.memmap``: where the bytes lie is not content."""
    if array.dtype.hasobject:
        return walk.part(array, encode_array)
    return walk.seal(encode_array(walk, array))


def encode_array(walk: Walk, array: Array) -> bytes:
    """Dtype, shape and elements of an array; its class is not looked at."""
    if array.dtype.hasobject:
        items = plain(array).ravel(order="C").tolist()
        walk.keep(items)
        content = encode_run(walk, items)
    else:
        content = encode_content(walk, array)
    return encode_whole(walk, array, content)


def encode_whole(walk: Walk, array: Array, content: bytes) -> bytes:
    """An array whose elements are encoded already."""
    dtype = array.dtype
    if is_plain(dtype):
        kind, shape = _plain_tokens(dtype.str, array.shape)
    else:
        kind, shape = walk.token(dtype), b""
    return frame(b"a", [kind, shape or walk.token(str(array.shape)), walk.seal(content)])


@lru_cache(maxsize=256)
def _plain_tokens(dtype: str, shape: tuple[int, ...]) -> tuple[bytes, bytes]:
    """The tokens of a plain dtype and of a shape, the latter empty if it is so long that it has a digest.

    As `Walk.token` gives them, remembered: they cost as much as the elements of a small array.
    """
    text = b"s" + str(shape).encode()
    return b"z" + dtype.encode(), text if len(text) <= INLINE else b""


def encode_content(walk: Walk, array: Array) -> bytes:
    """As `Walk.raw` would encode the elements in C order, without ever holding a copy of them all."""
    padded = has_padding(array.dtype)
    view = None if padded else flat_view(array)
    if view is not None:
        return walk.raw(view)
    if array.nbytes < RAW:
        return walk.raw_pieces(clean_blocks(array), array.nbytes)
    return b"~%d:%b" % (array.nbytes, walk.algorithm.array(plain(array)))


def _subclass(walk: Walk, array: Array) -> bytes:
    """A subclass: its class, the array, and what the instance holds beside it."""
    return walk.part(array, _encode_subclass)


def _encode_subclass(walk: Walk, array: Array) -> bytes:
    held = getattr(array, "__dict__", None) or None
    own = type(array).__reduce__ is not loaded("numpy").ndarray.__reduce__
    state = array.__reduce__() if own else None
    walk.keep((held, state))
    return frame(
        b"A",
        [
            walk.token(public_name(type(array))),
            walk.seal(encode_array(walk, array)),
            walk.token(held),
            walk.token(state[2] if state is not None and len(state) > 2 else None),
        ],
    )


def _masked(walk: Walk, array: Array) -> bytes:
    return walk.part(array, _encode_masked)


def _encode_masked(walk: Walk, array: Array) -> bytes:
    """A masked array: data (also under the mask, where it can be seen), mask, fill value."""
    if array is loaded("numpy").ma.masked:  # the one constant; it refuses to tell its fill value
        return frame(b"A", [walk.token(public_name(type(array)))])
    mask = loaded("numpy").ma.getmaskarray(array)
    fill = array.fill_value
    extra = {name: held for name, held in vars(array).items() if not name.startswith("_")}
    return frame(
        b"A",
        [
            walk.token(public_name(type(array))),
            walk.seal(encode_array(walk, array)),
            walk.temporary(mask),
            walk.temporary(fill),
            walk.token(bool(array.hardmask)),
            walk.temporary(extra),
        ],
    )


def _scalar(walk: Walk, value: Any) -> bytes:
    array = loaded("numpy").asarray(value)
    walk.keep(array)
    encoding = b"x" + encode_array(walk, array)
    if type(value).__module__.partition(".")[0] == "numpy":
        return walk.seal(encoding)
    return walk.part(value, lambda walk, value: _encode_scalar_subclass(walk, value, encoding))


def _encode_scalar_subclass(walk: Walk, value: Any, encoding: bytes) -> bytes:
    """What numpy's own reduction leaves out: the class, and what the instance holds beside its number."""
    state = value.__getstate__()
    walk.keep(state)
    return frame(b"A", [walk.token(public_name(type(value))), walk.seal(encoding), walk.token(state)])


def _dtype(walk: Walk, dtype: Array) -> bytes:
    if is_plain(dtype):
        return walk.seal(b"z" + dtype.str.encode())
    return walk.part(dtype, _encode_dtype)


def _encode_dtype(walk: Walk, dtype: Array) -> bytes:
    """A dtype: kind, byte order, size, fields with their places. Metadata does not count, as in ``==``."""
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return frame(b"Y", [walk.temporary(base), walk.temporary(shape)])
    if dtype.names is None:  # variable-width text, or of a user's own library
        missing = getattr(dtype, "na_object", None)
        strict = [] if getattr(dtype, "coerce", True) else [walk.token(False)]
        return frame(
            b"Y",
            [walk.token(dtype.str), walk.token(public_name(type(dtype))), walk.temporary(missing), *strict],
        )
    fields = [(name, *dtype.fields[name]) for name in dtype.names]
    tokens = [walk.temporary(field) for field in fields]
    return frame(b"Y", [walk.token(dtype.itemsize), walk.token(dtype.type), *tokens])


def _ufunc(walk: Walk, value: Any) -> bytes:
    """A universal function by its name, if that leads to it: ``frompyfunc`` makes some that hide theirs."""
    name = value.__name__
    for library in ("numpy", "scipy.special"):
        if getattr(loaded(library), name, None) is value:
            return walk.seal(walk.facts("ufunc", f"{library}:{name}"))
    raise NotHashable(value, "no name of numpy or scipy.special leads to it")


def _generator(walk: Walk, value: Any) -> bytes:
    return walk.part(value, lambda walk, v: walk.facts("random generator", type(v).__name__, v.bit_generator))


def _bit_generator(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_bit_generator)


def _encode_bit_generator(walk: Walk, value: Any) -> bytes:
    """The state of a stream, and the seeds that its children will get."""
    return walk.facts("bit generator", type(value).__name__, value.state, value.seed_seq)


def _seeds(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_seeds)


def _encode_seeds(walk: Walk, value: Any) -> bytes:
    parts = (value.entropy, tuple(value.spawn_key), value.pool_size, value.n_children_spawned)
    return walk.facts("seed sequence", *parts)


def _random_state(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_random_state)


def _encode_random_state(walk: Walk, value: Any) -> bytes:
    """The old kind of stream by its state. The one of ``numpy.random`` itself is a name: it is no content."""
    shared = loaded("numpy").random.get_state.__self__
    return walk.facts("random state", None if value is shared else value.get_state(legacy=False))


RULES: dict[str, Rule] = {
    "numpy:ndarray": _subclass,
    "numpy:memmap": exact_array,
    "numpy:MaskedArray": _masked,
    "numpy:generic": _scalar,
    "numpy:dtype": _dtype,
    "numpy:ufunc": _ufunc,
    "numpy:Generator": _generator,
    "numpy:BitGenerator": _bit_generator,
    "numpy:SeedSequence": _seeds,
    "numpy:RandomState": _random_state,
}
"""By top-level package and qualified name, looked for along the bases of a type."""
