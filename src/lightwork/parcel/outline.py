"""What a skeleton would build, without building it.

A skeleton is unpickled with stand-ins in the places of all that it names: containers, numbers and texts come
out as themselves, every other object as a `Node` that remembers how it is made, every buffer as a `Segment`.
Nothing that the file names is imported or called.

A part of such an outline is pickled again, and gives a skeleton for that part alone, which asks for the
buffers of that part alone. So `join` builds one key of a file as it builds the whole file.

::

    skeleton ──outline──► {"train": Node(ndarray), "model": Node(...)} ──cut──► skeleton of "model", [3, 4]
"""

import io
import pickle
import weakref
from collections.abc import Callable, Iterator, Sequence
from copyreg import __newobj__, __newobj_ex__  # type: ignore[attr-defined]  # public to picklers only
from typing import Any, NamedTuple

from ..errors import UnpicklableError
from .pickling import PROTOCOL
from .rebuild import ARRAY_TYPE, array_type, named

# Any: the parts of values.
__all__ = ["ArrayAt", "Cut", "Name", "Node", "Segment", "array_at", "cut", "outline", "parts_of"]


class Segment(bytearray):
    """Stands for a buffer. Holds no bytes; a bytearray, since some buffers are asked for as views."""

    number: int


class Name(type):
    """Stands for what a skeleton names, a class or a function: a class without anything, to be called."""

    path: tuple[str, str]
    calls: "list[_Call]"
    """The calls of this outline that may be a setting of a state."""

    def __call__(cls, *args: Any) -> "Node":
        """A node for what the call would make."""
        return _called(cls, cls, args)


class _Call(NamedTuple):
    """A call with a node and a value. If the result is dropped, its purpose was to change the node."""

    result: "weakref.ref[Node]"
    changed: "Node"
    setter: Any
    state: Any


class Node(metaclass=Name):
    """Stands for an object: what makes it, and what is then done with it, as picklers write that.

    Attributes
    ----------
    maker, args, kwargs
        A call of a `Name` or a `Node`; of the ``__new__`` of a class if `kwargs` is not ``None``.
    items, entries
        What is appended to it, as to a list, and set in it, as in a dictionary.
    state, setter
        What is given to its ``__setstate__``, or together with it to `setter`; ``None`` if there is none.
    """

    # Most nodes keep the defaults, so that they cost little to make.
    args: tuple[Any, ...]
    entries: Sequence[tuple[Any, Any]] = ()
    items: Sequence[Any] = ()
    kwargs: dict[str, Any] | None = None
    maker: Any
    setter: Any = None
    state: Any = None

    def __new__(cls, *args: Any, **kwargs: Any) -> "Node":
        """A node for what ``__new__`` of the class would make."""
        node = object.__new__(cls)
        node.maker, node.args, node.kwargs = cls, args, kwargs
        return node

    def __call__(self, *args: Any) -> "Node":
        """A node for what a call of the object would make."""
        return _called(type(self), self, args)

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def append(self, item: Any) -> None:
        """Keep an item, for a list or a set."""
        self.extend([item])

    def extend(self, items: Any) -> None:
        """Keep several items."""
        self.items = kept = self.items if isinstance(self.items, list) else []
        kept.extend(items)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.entries = kept = self.entries if isinstance(self.entries, list) else []
        kept.append((key, value))

    def __reduce_ex__(self, _: Any) -> tuple[Any, ...]:
        if isinstance(self.maker, Name) and self.maker.path == ARRAY_TYPE:
            return array_type, ()  # itself, since readers look for this name
        made: tuple[Any, ...] = self.maker, self.args
        if self.kwargs is not None:
            made = __newobj__, (self.maker, *self.args)
            if self.kwargs:
                made = __newobj_ex__, (self.maker, self.args, self.kwargs)
        items, entries = (iter(kept) if kept else None for kept in (self.items, self.entries))
        return (*made, self.state, items, entries, self.setter)


def _called(cls: Name, maker: Any, args: tuple[Any, ...]) -> Node:
    node: Node = object.__new__(cls)  # type: ignore[arg-type]  # every name is a class of nodes
    node.maker, node.args = maker, args
    if len(args) == 2 and isinstance(args[0], Node):
        cls.calls.append(_Call(weakref.ref(node), args[0], maker, args[1]))
    return node


# ---------------------------------------------------------------------------------------------------------
# From a skeleton to its outline, and back for a part of it
# ---------------------------------------------------------------------------------------------------------


def outline(skeleton: bytes, buffers: int) -> Any:
    """The outline of a skeleton that asks for so many buffers.

    Raises
    ------
    UnpicklableError
        It can only be loaded whole: it holds instances of classes that it brings along (cloudpickle), or an
        object whose state is set twice.
    """
    segments = [Segment() for _ in range(buffers)]
    for number, segment in enumerate(segments):
        segment.number = number
    unpickler = _Outliner(io.BytesIO(skeleton), buffers=segments)
    try:
        root = unpickler.load()
    except pickle.UnpicklingError as exc:
        raise UnpicklableError(f"it can only be loaded whole, with load(path): {exc}") from exc
    for call in unpickler.calls:
        if call.result() is None:  # dropped at once: its purpose was to change its argument
            if call.changed.state is not None or call.changed.setter is not None:
                raise UnpicklableError("it can only be loaded whole, with load(path): a state is set twice")
            call.changed.setter, call.changed.state = call.setter, call.state
    return root


class _Outliner(pickle.Unpickler):
    """Finds a `Name` for everything."""

    def __init__(self, file: io.BytesIO, buffers: list[Segment]) -> None:
        super().__init__(file, buffers=buffers)
        self.calls: list[_Call] = []
        self._names: dict[tuple[str, str], Name] = {}

    def find_class(self, module: str, name: str, /) -> Any:
        path = module, name
        found = self._names.get(path)
        if found is None:
            found = type.__call__(Name, name, (Node,), {"path": path, "calls": self.calls})
            self._names[path] = found
        return found


class Cut(NamedTuple):
    """A part of a value, to be joined."""

    skeleton: bytes
    buffers: list[int]
    """Which buffers of the whole the skeleton asks for, in this order."""


def cut(part: Any) -> Cut:
    """A part of an outline as a skeleton of its own; also several parts, in a container."""
    file = io.BytesIO()
    numbers: list[int] = []

    def keep(buffer: pickle.PickleBuffer) -> None:
        numbers.append(memoryview(buffer).obj.number)  # type: ignore[attr-defined]  # a Segment

    pickler = pickle.Pickler(file, PROTOCOL, buffer_callback=keep)
    pickler.dispatch_table = _REDUCERS
    pickler.dump(part)
    return Cut(file.getvalue(), numbers)


def the_buffer(buffer: Any) -> Any:
    """A buffer, as it is."""
    return buffer


def read_only(buffer: Any) -> memoryview:
    """A view of a buffer that was read-only when it was written."""
    return memoryview(buffer).toreadonly()


_REDUCERS: dict[Any, Callable[[Any], tuple[Any, ...]]] = {
    Name: lambda name: (named, name.path),
    Segment: lambda segment: (the_buffer, (pickle.PickleBuffer(segment),)),
    memoryview: lambda view: (read_only, (view.obj,)),
}


# ---------------------------------------------------------------------------------------------------------
# What is in an outline
# ---------------------------------------------------------------------------------------------------------


class ArrayAt(NamedTuple):
    """An array in an outline."""

    shape: tuple[int, ...]
    dtype: Any
    """An outline too."""

    segment: int
    offset: int
    """Which buffer it lies in, and the position of its first byte there."""

    order: str


def array_at(part: Any) -> ArrayAt | None:
    """Where the elements of an array lie; ``None`` for everything else, also for arrays of objects."""
    if not isinstance(part, Node) or not isinstance(part.maker, Node):
        return None
    if not isinstance(part.maker.maker, Name) or part.maker.maker.path != ARRAY_TYPE:
        return None
    shape, dtype, buffer, *rest = part.args
    offset, order = rest[0] if rest else 0, rest[2] if rest[2:] else "C"
    if isinstance(buffer, Node):  # the view that small arrays share
        (buffer,) = buffer.args
    return ArrayAt(shape, dtype, buffer.number, offset, order)


def parts_of(part: Any) -> Iterator[Any]:
    """What a part of an outline consists of, itself included, each once."""
    waiting, seen = [part], {id(part)}
    while waiting:
        part = waiting.pop()
        yield part
        for inner in _inner(part):
            if isinstance(inner, Node | dict | list | tuple | set | frozenset) and id(inner) not in seen:
                seen.add(id(inner))
                waiting.append(inner)


def _inner(part: Any) -> Iterator[Any]:
    if isinstance(part, dict):
        for entry in part.items():
            yield from entry
    elif isinstance(part, list | tuple | set | frozenset):
        yield from part
    elif isinstance(part, Node):
        yield from (part.maker, part.args, part.kwargs, part.items, part.entries, part.state)
