"""The values of a skeleton, built instruction by instruction with constructors of ours.

The skeleton has been scanned: arguments are complete, the stack never runs empty, the memo has what is asked
for, each name is admitted. What is left to check is what is done with which value:

- Items are added to lists, dicts, sets and the containers that `plain` makes, exactly those types.
- A `Later` is on top of the stack until its state comes, and nowhere else.
"""

import struct
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from typing import Any

from ...errors import CorruptFileError, LightworkError, UnsafeFileError
from .calls import Calls
from .claims import Claims
from .constructors import Later
from .keys import Keys
from .opcodes import OPCODES
from .scan import Name
from .trusted import Trusted

__all__ = ["Machine"]

# Any: the values of a file.
_DOUBLE = struct.Struct(">d")
_MAPPINGS = (dict, OrderedDict, defaultdict)
_SEQUENCES = (list, deque)


class Machine:
    """For one skeleton. `run` gives its value.

    Parameters
    ----------
    data
        The skeleton, which `scan` has passed.
    buffers
        As many as it asks for.
    calls
        What names stand for, and what is made with them.
    keys
        Checks the keys of dicts and sets.
    claims
        Keeps account of the buffers.
    trusted
        Builds objects of the libraries that the caller trusts.
    """

    def __init__(
        self,
        data: bytes,
        buffers: Iterable[Any],
        calls: Calls,
        keys: Keys,
        claims: Claims,
        trusted: Trusted,
    ) -> None:
        self._data = data
        self._buffers = iter(buffers)
        self._calls = calls
        self._trusted = trusted
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []
        self._memo: list[Any] = []
        self._keys = keys
        self._claims = claims
        self._places: dict[int, int] = {}  # of unfinished values in the memo, by id

    def run(self) -> Any:
        """The value.

        Raises
        ------
        UnsafeFileError, CorruptFileError
            The skeleton does what is not admitted, or contradicts itself.
        """
        handlers: list[Any] = [None] * 256
        for byte, opcode in OPCODES.items():
            handlers[byte] = getattr(self, f"_{opcode.name.lower()}")
        data, at = self._data, 0
        while at >= 0:
            at = handlers[data[at]](at + 1)
        self._calls.check_finished()
        return self._stack.pop()

    # -----------------------------------------------------------------------------------------------------
    # Structure
    # -----------------------------------------------------------------------------------------------------

    def _proto(self, at: int) -> int:
        return at + 1

    def _frame(self, at: int) -> int:
        return at + 8

    def _stop(self, at: int) -> int:
        return -1

    def _mark(self, at: int) -> int:
        self._below.append(self._stack)
        self._stack = []
        return at

    def _to_mark(self) -> list[Any]:
        """The values above the last mark, which is taken away."""
        items, self._stack = self._stack, self._below.pop()
        return items

    def _pop(self, at: int) -> int:
        self._stack.pop()
        return at

    def _pop_mark(self, at: int) -> int:
        self._to_mark()
        return at

    def _memoize(self, at: int) -> int:
        value = self._stack[-1]
        if type(value) is Later:
            self._places[id(value)] = len(self._memo)
        self._memo.append(value)
        return at

    def _get(self, index: int) -> None:
        value = self._memo[index]
        if type(value) is Later:
            # What holds itself is written so, in honest files too.
            raise UnsafeFileError(self._calls.unfinished(value))
        self._calls.pushed(value)
        self._stack.append(value)

    def _binget(self, at: int) -> int:
        self._get(self._data[at])
        return at + 1

    def _long_binget(self, at: int) -> int:
        self._get(int.from_bytes(self._data[at : at + 4], "little"))
        return at + 4

    # -----------------------------------------------------------------------------------------------------
    # Scalars
    # -----------------------------------------------------------------------------------------------------

    def _none(self, at: int) -> int:
        self._stack.append(None)
        return at

    def _newtrue(self, at: int) -> int:
        self._stack.append(True)
        return at

    def _newfalse(self, at: int) -> int:
        self._stack.append(False)
        return at

    def _binint1(self, at: int) -> int:
        self._stack.append(self._data[at])
        return at + 1

    def _binint2(self, at: int) -> int:
        self._stack.append(int.from_bytes(self._data[at : at + 2], "little"))
        return at + 2

    def _binint(self, at: int) -> int:
        self._stack.append(int.from_bytes(self._data[at : at + 4], "little", signed=True))
        return at + 4

    def _binfloat(self, at: int) -> int:
        self._stack.append(_DOUBLE.unpack_from(self._data, at)[0])
        return at + 8

    def _counted(self, at: int, width: int, make: Callable[[bytes], Any]) -> int:
        """Push what `make` makes of an argument whose length stands before it, in `width` bytes."""
        start = at + width
        end = start + int.from_bytes(self._data[at:start], "little")
        self._stack.append(make(self._data[start:end]))
        return end

    def _long1(self, at: int) -> int:
        return self._counted(at, 1, _integer)

    def _long4(self, at: int) -> int:
        return self._counted(at, 4, _integer)

    def _short_binunicode(self, at: int) -> int:
        return self._counted(at, 1, _text)

    def _binunicode(self, at: int) -> int:
        return self._counted(at, 4, _text)

    def _binunicode8(self, at: int) -> int:
        return self._counted(at, 8, _text)

    def _short_binbytes(self, at: int) -> int:
        return self._counted(at, 1, bytes)

    def _binbytes(self, at: int) -> int:
        return self._counted(at, 4, bytes)

    def _binbytes8(self, at: int) -> int:
        return self._counted(at, 8, bytes)

    def _bytearray8(self, at: int) -> int:
        return self._counted(at, 8, bytearray)

    def _next_buffer(self, at: int) -> int:
        self._stack.append(self._claims.handed(memoryview(next(self._buffers))))
        return at

    def _readonly_buffer(self, at: int) -> int:
        if type(self._stack[-1]) is not memoryview:
            raise CorruptFileError("it makes read-only what is no buffer")
        self._stack[-1] = self._claims.handed(self._stack[-1].toreadonly())
        return at

    # -----------------------------------------------------------------------------------------------------
    # Containers
    # -----------------------------------------------------------------------------------------------------

    def _empty_tuple(self, at: int) -> int:
        self._stack.append(())
        return at

    def _last_as_tuple(self, count: int) -> None:
        items = tuple(self._stack[-count:])
        del self._stack[-count:]
        self._stack.append(items)

    def _tuple1(self, at: int) -> int:
        self._last_as_tuple(1)
        return at

    def _tuple2(self, at: int) -> int:
        self._last_as_tuple(2)
        return at

    def _tuple3(self, at: int) -> int:
        self._last_as_tuple(3)
        return at

    def _tuple(self, at: int) -> int:
        items = self._to_mark()
        self._stack.append(tuple(items))
        return at

    def _empty_list(self, at: int) -> int:
        self._stack.append([])
        return at

    def _append(self, at: int) -> int:
        self._extend([self._stack.pop()])
        return at

    def _appends(self, at: int) -> int:
        self._extend(self._to_mark())
        return at

    def _extend(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) in _SEQUENCES:
            target.extend(items)
        else:
            self._trusted.extend(target, items)

    def _empty_dict(self, at: int) -> int:
        self._stack.append({})
        return at

    def _setitem(self, at: int) -> int:
        value, key = self._stack.pop(), self._stack.pop()
        self._update([key, value])
        return at

    def _setitems(self, at: int) -> int:
        self._update(self._to_mark())
        return at

    def _update(self, items: list[Any]) -> None:
        target, keys = self._stack[-1], items[::2]
        kept = type(target) in _MAPPINGS
        try:
            self._keys.check(target, keys)
            if kept:
                target.update(zip(keys, items[1::2], strict=True))
        except (TypeError, ValueError) as exc:
            raise exc if isinstance(exc, LightworkError) else CorruptFileError(f"a bad key: {exc}") from exc
        if not kept:
            self._trusted.update(target, keys, items[1::2])

    def _empty_set(self, at: int) -> int:
        self._stack.append(set())
        return at

    def _additems(self, at: int) -> int:
        items = self._to_mark()
        self._add(checked_set(self._stack[-1]), items)
        return at

    def _frozenset(self, at: int) -> int:
        items: set[Any] = set()
        self._add(items, self._to_mark())
        self._stack.append(frozenset(items))
        return at

    def _add(self, target: set[Any], items: list[Any]) -> None:
        try:
            self._keys.check(target, items)
            target.update(items)
        except (TypeError, ValueError) as exc:
            raise exc if isinstance(exc, LightworkError) else CorruptFileError(f"a bad item: {exc}") from exc

    # -----------------------------------------------------------------------------------------------------
    # Names and what is made with them
    # -----------------------------------------------------------------------------------------------------

    def _stack_global(self, at: int) -> int:
        last, module = self._stack.pop(), self._stack.pop()
        self._stack.append(self._calls.value(Name(module, last)))
        return at

    def _reduce(self, at: int) -> int:
        arguments, function = self._stack.pop(), self._stack.pop()
        self._stack.append(self._calls.call(function, arguments))
        return at

    def _newobj(self, at: int) -> int:
        arguments, kind = self._stack.pop(), self._stack.pop()
        self._stack.append(self._calls.new(kind, arguments, {}))
        return at

    def _newobj_ex(self, at: int) -> int:
        keywords, arguments, kind = self._stack.pop(), self._stack.pop(), self._stack.pop()
        self._stack.append(self._calls.new(kind, arguments, keywords))
        return at

    def _build(self, at: int) -> int:
        state, target = self._stack.pop(), self._stack.pop()
        value = self._calls.with_state(target, state)
        if type(target) is Later and id(target) in self._places:
            self._memo[self._places.pop(id(target))] = value
        self._stack.append(value)
        return at


def checked_set(target: Any) -> set[Any]:
    """`target`, if it is a set."""
    if type(target) is not set:
        raise UnsafeFileError(f"it adds items to a {type(target).__name__}, which is no set")
    return target


def _integer(content: bytes) -> int:
    return int.from_bytes(content, "little", signed=True)


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as exc:
        raise CorruptFileError(f"a text of its skeleton is none: {exc}") from exc
