"""The picklers of lightwork: the C pickler, protocol 5, with reducers for arrays.

By reference (`make_pickler`) is the rule. By value (`dump_by_value`) goes through cloudpickle, for functions
and classes that another process cannot import: those of ``__main__``, lambdas and closures.
"""

import io
import pickle
import sys
from collections import ChainMap
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import CodeType
from typing import Any, Protocol

from .. import parcel  # its `variables` are loaded when one is met
from ..system.optional import loaded, require
from .locate import failing_part
from .reducers import Inline, Packed, Source, Table, as_buffer

__all__ = [
    "PROTOCOL",
    "PickleFile",
    "dump_by_value",
    "locate_unpicklable",
    "make_packer",
    "make_pickler",
    "make_value_pickler",
    "needs_value_pickling",
]

PROTOCOL = 5
_NO_FILE = "<dynamic-code>"
_SPAWNED_MAIN = "__mp_main__"


class PickleFile(Protocol):
    """What a pickler writes to."""

    def write(self, data: bytes, /) -> object:
        """Take bytes of the pickle, all of them."""


def make_pickler(
    file: PickleFile, *, buffer_callback: Callable[[pickle.PickleBuffer], object]
) -> pickle.Pickler:
    """A pickler that writes by-reference pickles to `file`; use it again after `clear_memo`.

    Parameters
    ----------
    file
        Has `write`.
    buffer_callback
        Gets each large buffer, C-contiguous, in the order in which the unpickler will ask for them. Small
        arrays are in the pickle. The buffers refer to the user's memory unless an array is strided, and are
        valid as long as the callback keeps them.
    """

    def keep(source: Source) -> None:
        buffer_callback(as_buffer(source))

    reducers = Inline(keep)
    pickler = pickle.Pickler(file, PROTOCOL, buffer_callback=reducers.buffer_callback)
    pickler.dispatch_table = Table(reducers)
    return pickler


def make_packer(file: PickleFile, keep: Callable[[Source], object], *, by_value: bool) -> Any:
    """A pickler for one value, for files and records. Small arrays share buffers.

    `keep` gets the sources of the buffers, whose bytes are taken with `as_bytes` after the value is pickled.
    The keys of the pickler's ``dispatch_table`` are then the types (but builtin ones) that the value has.
    """
    # Any: cloudpickle's pickler has no types.
    reducers = Packed(keep)
    if by_value:
        return _tabled(file, reducers)
    pickler = pickle.Pickler(file, PROTOCOL, buffer_callback=reducers.buffer_callback)
    pickler.dispatch_table = Table(reducers)
    return pickler


def _tabled(file: PickleFile, reducers: Packed | Inline) -> Any:  # Any: as in `make_packer`
    return _value_pickler(file, lambda others: Table(reducers, others), reducers.buffer_callback)


def make_value_pickler(
    file: PickleFile,
    own: Mapping[type, Any],
    is_inside: Callable[[pickle.PickleBuffer], bool] | None = None,
) -> Any:
    """A pickler by value for messages that others read: arrays are pickled as numpy does it.

    `own` are reducers by exact type, which come first; `is_inside` tells whether a buffer stays in the
    pickle. Any: reducers, and the pickler as in `make_packer`.
    """
    return _value_pickler(file, lambda others: ChainMap(dict(own), dict(others)), is_inside)


def _value_pickler(file: PickleFile, table: Callable[[Any], Any], buffer_callback: Any) -> Any:
    kind = _cloudpickle().Pickler
    # The C pickler reads its table once, in `__init__`; the instance must have it before.
    pickler = kind.__new__(kind)
    special = {CodeType: _code_with_file, ContextVar: _variable_by_name}
    pickler.dispatch_table = table(ChainMap(special, kind.dispatch_table))
    pickler.__init__(file, protocol=PROTOCOL, buffer_callback=buffer_callback)
    main = loaded(_SPAWNED_MAIN)
    if main is not None:  # cloudpickle knows of `__main__` alone
        _cloudpickle().register_pickle_by_value(main)
    return pickler


def _cloudpickle() -> Any:  # Any: it has no types
    """The package, or an error that says what to install."""
    return require("cloudpickle", purpose="pickling functions and classes by value", extra="all")


def _code_with_file(code: CodeType) -> tuple[Any, ...]:  # Any: a reduction
    """As cloudpickle does it, but with the file that the code came from.

    From 3.1 on cloudpickle leaves that out. Functions of ``__main__`` are named after it in the keys of
    calls, which workers make too, and tracebacks show it.
    """
    make, parts, *rest = _cloudpickle().Pickler.dispatch_table[CodeType](code)
    return (
        make,
        tuple(code.co_filename if type(part) is str and part == _NO_FILE else part for part in parts),
        *rest,
    )


def _variable_by_name(variable: ContextVar[Any]) -> tuple[Any, ...]:  # Any: whatever it holds; a reduction
    return parcel.variables.reduce_variable(variable)


def dump_by_value(value: object, buffer_callback: Callable[[pickle.PickleBuffer], object]) -> bytes:
    """The pickle of a value, with functions and classes of ``__main__``, lambdas and closures inside it.

    `buffer_callback` is that of `make_pickler`. Raises what cloudpickle raises.
    """

    def keep(source: Source) -> None:
        buffer_callback(as_buffer(source))

    file = io.BytesIO()
    _tabled(file, Inline(keep)).dump(value)
    return file.getvalue()


def needs_value_pickling(data: bytes) -> bool:
    """Whether a by-reference pickle names ``__main__``, which is another module in another process.

    In a process that `multiprocessing` has spawned that is ``__mp_main__``. True too for a value that merely
    contains the text; by-value pickling is then slower and no less right.
    """
    return b"__main__" in data or (_SPAWNED_MAIN in sys.modules and _SPAWNED_MAIN.encode() in data)


def locate_unpicklable(value: object, path: str, *, by_value: bool = False) -> str:
    """The path of the first part of `value` that cannot be pickled, such as ``value[1].model``.

    Takes about a second at most; a value too large for that gets the path as far as it was found.
    """
    return failing_part(value, path, lambda file: make_packer(file, _drop, by_value=by_value))


def _drop(source: Source) -> None:
    """Trials need no buffers."""
