"""A survey of the code that a function uses: what it is made of, and what must be watched.

From the function on, each user function and class that is named becomes a *node*: its code, its defaults,
what it has captured, and the globals it names, each of which is a node again, a value, or the name of
something in a library. Nodes are numbered as they are found, so that recursion ends. Not followed, and
listed as such: instances that hold more than simple attributes (their class is), arrays of more than 64 KiB
and other large objects, open things, names that are made up at run time, containers and instances that the
tracked code itself changes, modules imported inside functions whose source cannot be found.
"""

import sys
from collections.abc import Iterator
from enum import Enum
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

from .bytecode import uses
from .computed import MAKES_NAMES, RUNS_NAMED, computes_names
from .late import names_read, names_written, watch_written
from .leaves import (
    has_no_state,
    is_code,
    is_container,
    is_small_array,
    is_value,
    leaves,
    may_change,
    own_attributes,
    wrapped,
)
from .library import is_library_file, is_users
from .live import Live
from .members import class_members, field_members, makes, own_names, place_of
from .names import class_name, function_name, is_importable
from .objects import given_to
from .sources import source_token
from .states import Outline, called_by, changed_by, is_simple, is_written_in_c
from .values import token_of
from .walk import Walk, frame
from .watched import Watched

__all__ = ["Survey"]

_ABSENT: Any = object()
_ANY_NAME = "*"  # among names that may be read: they are made up at run time


class Survey:
    """One pass over the code behind a function; all results are attributes.

    Attributes
    ----------
    tokens
        One per node, in the order of discovery.
    live
        Values to be hashed at each call.
    watched
        What must stay as it is for all this to hold.
    written
        Global names that the functions found assign to or change in place, by the identity of their
        namespace (0 for attributes of anything). A first survey finds them; a second one is told and
        leaves them out.
    called
        Attributes that the functions found read off objects, as far as they can be methods that change
        these. A second survey is told, like of `written`.
    could_be
        All names that the functions found may read off a module which they got as a value (from a list, say);
        only filled if there is such a module. Another survey is told, until there are no more of them.
    parts
        Tokens of functions and of values that count, by what people call them; those of `live` are not here.
    constants
        Global values that count and cannot change in place, by their names and tokens.
    tracked, untracked
        What was followed and what was not, as texts for people.
    """

    def __init__(
        self,
        walk: Walk,
        packages: frozenset[str],
        *,
        deep: bool,
        written: frozenset[tuple[int, str]] = frozenset(),
        called: frozenset[str] = frozenset(),
        could_be: frozenset[str] = frozenset(),
    ) -> None:
        self._walk = walk
        self._packages = packages
        self._deep = deep
        self._numbers: dict[int, int] = {}
        self._nodes: list[Any] = []
        self._root: Any = None
        self._not_tracked = written
        self._called = called
        self._could_be = could_be
        self._meets_modules, self._names_used = False, set[str]()
        self._outline = Outline(packages, self._opens)
        self._inside: set[int] = set()
        self._codes: dict[str, CodeType | None] = {}
        self._opened: dict[type, bool] = {}
        self._places: dict[tuple[int, bool, bool], int] = {}
        self.watched = Watched()
        self.called, self.written = set[str](), set[tuple[int, str]]()
        self.tokens: list[bytes] = []
        self.live, self.parts = list[Live](), dict[str, bytes]()
        self.constants: dict[tuple[str, bytes], Any] = {}
        self.tracked, self.untracked = list[str](), list[str]()

    def run(self, root: Any) -> None:
        """Survey everything from `root` on."""
        self._root = root
        self.tokens.append(self._refer(root, "the function", is_held=False))
        place = 0
        while place < len(self._nodes):  # describing a node may add others
            node = self._nodes[place]
            describe = self._describe_class if isinstance(node, type) else self._describe_function
            self.tokens.append(self._walk.seal(describe(node)))
            place += 1

    @property
    def could_be(self) -> frozenset[str]:
        return frozenset(self._names_used if self._meets_modules else ())

    # ---- nodes ----

    def _number(self, node: Any) -> bytes:
        number = self._numbers.setdefault(id(node), len(self._nodes))
        if number == len(self._nodes):
            self._nodes.append(node)
        return b"@%d" % number

    def _describe_function(self, function: FunctionType) -> bytes:
        code = function.__code__
        name = function_name(function)
        self.watched.functions.append(function)
        self.tracked.append(f"{name} ({code.co_filename}:{code.co_firstlineno})")
        tokens = [self._part(name, self._walk.token(code))]
        tokens += self._defaults(function)
        for variable, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            tokens.append(self._captured(cell, f"{variable} captured by {name}", function))
        if self._deep and is_users(function.__module__, self._packages):
            tokens += self._globals(function)
            tokens += self._attributes(function)
        return frame(b"f", tokens)

    def _defaults(self, function: FunctionType) -> Iterator[bytes]:
        """Defaults; those of the function itself that can change are arguments of calls that use them."""
        named = [(f"default {place}", value) for place, value in enumerate(function.__defaults__ or ())]
        keyword_only = function.__kwdefaults__ or {}
        named += keyword_only.items()
        for name, value in keyword_only.items():
            self.watched.name(keyword_only, name, value)
        for name, value in named:
            count = len(self.live)
            token = self._refer(value, f"{name} of {function_name(function)}", is_held=True)
            if function is self._root:
                for live in self.live[count:]:
                    del self._places[live.identity]
                del self.live[count:]
            yield frame(b"=", [self._walk.temporary(name), token])

    def _captured(self, cell: CellType, path: str, function: FunctionType) -> bytes:
        try:
            value = cell.cell_contents
        except ValueError:  # not bound yet: it is by the time of a call, or the call fails
            return b"-"
        self.watched.cells.append((cell, value))
        if not is_library_file(function.__code__.co_filename):
            return self._refer(value, path, is_held=True)
        # A decorator from a library: what it wraps counts, its caches and guards do not.
        if isinstance(value, set):
            return b"-"
        return self._refer(value, path, is_held=False)

    def _globals(self, function: FunctionType) -> Iterator[bytes]:
        found = uses(function.__code__)
        namespace = function.__globals__
        self.called.update(called_by(function, found.attributes))
        self.written.update(place_of(namespace, chain) for chain in found.written)
        self.written.update((0, name) for name in found.written_attributes)
        could_be = found.attributes | found.texts
        if computes_names(function.__code__):
            could_be |= {_ANY_NAME}
        if "__subclasses__" in could_be:
            self.untracked.append(f"__subclasses__() in {function.__qualname__}: what is derived at run time")
        self._names_used |= could_be
        for chain in found.chains:
            path = ".".join(chain)
            if path in MAKES_NAMES and chain[0] not in namespace:
                self.untracked.append(
                    f"{path}() in {function.__qualname__}: names that are made up at run time"
                )
            yield frame(b".", [self._walk.token(path), self._chain(namespace, chain, could_be)])
        for statement in found.imports:
            imported: dict[str, tuple[CodeType, ...]] = {}
            token = source_token(self._walk, statement, namespace, self._packages, self._codes, imported)
            read = could_be.union(
                statement.names, *(names_read(code) for codes in imported.values() for code in codes)
            )
            for name, codes in imported.items():
                yield from self._late_module(name, codes, read, function)
            if token is None:
                self.untracked.append(
                    f"{statement.module}, imported inside {function.__qualname__}: no source"
                )
            else:
                yield token

    def _late_module(
        self, name: str, codes: tuple[CodeType, ...], read: frozenset[str], function: FunctionType
    ) -> Iterator[bytes]:
        """What a module that a function imports holds beside what its source says, once it is loaded."""
        told = f"{name} (a module, by its source; imported inside {function.__qualname__})"
        if told not in self.tracked:
            self.tracked.append(told)
        module = sys.modules.get(name)
        if module is None:
            self.watched.absent.append((sys.modules, name))
            return
        self.watched.name(sys.modules, name, module)
        self.written.update(place_of(vars(module), chain) for code in codes for chain in names_written(code))
        changed = watch_written(module, codes, read, self.watched)
        for each, value in changed.items():
            path = f"{name}.{each}"
            yield frame(b".", [self._walk.temporary(path), self._refer_name(vars(module), each, value, path)])

    def _attributes(self, function: FunctionType) -> Iterator[bytes]:
        """What was stored in the function itself, unless code that is tracked does so."""
        if is_library_file(function.__code__.co_filename):
            return
        self.watched.spaces.append(vars(function))
        for name, value in vars(function).items():
            if (0, name) not in self._not_tracked and not name.startswith("__"):
                path = f"{function.__qualname__}.{name}"
                token = self._refer_name(vars(function), name, value, path)
                yield frame(b"a", [self._walk.token(name), token])

    def _chain(self, namespace: dict[str, Any], chain: tuple[str, ...], could_be: frozenset[str]) -> bytes:
        """The token of what a chain of names leads to: modules are opened, anything else ends it."""
        name = chain[0]
        value = namespace.get(name, _ABSENT)
        if value is _ABSENT:
            self.watched.absent.append((namespace, name))
            return b"-"
        holder: Any = namespace
        for attribute in chain[1:]:
            if not issubclass(type(value), ModuleType):
                break
            self.watched.name(holder, name, value)
            if not is_users(value.__name__, self._packages):
                return self._named(f"{value.__name__}:{attribute}")
            if attribute == "__dict__":
                break
            holder, name = vars(value), attribute
            if name not in holder and not makes(value, name):
                self.watched.absent.append((holder, name))
                return b"-"
            if name not in holder:  # made anew each time that it is read
                return self._refer(getattr(value, name), ".".join(chain), is_held=False)
            value = holder[name]
        if issubclass(type(value), ModuleType):
            self.watched.name(holder, name, value)
            return self._refer_module(value, could_be)
        return self._refer_name(holder, name, value, ".".join(chain))

    def _refer_module(self, module: ModuleType, could_be: frozenset[str]) -> bytes:
        """A module as a value: its name, and of the user's what is called one of `could_be`."""
        name = self._walk.token(module)
        self._meets_modules = True
        if not self._deep or not is_users(module.__name__, self._packages):
            return name
        return self._walk.seal(frame(b"m", [name, *self._module(module, could_be)]))

    def _refer_met_module(self, module: ModuleType) -> bytes:
        """A module that no name of the code leads to: any function of the code may read names off it."""
        could_be = self._could_be if module is not self._root else own_names(module)
        return self._refer_module(module, could_be)

    def _module(self, module: ModuleType, could_be: frozenset[str]) -> Iterator[bytes]:
        """What a module holds that is used as a value: of that, all that the function could read off it."""
        if id(module) in self._inside:
            return
        self._inside.add(id(module))
        names = could_be & vars(module).keys()
        if _ANY_NAME in could_be | self._could_be:  # all but other modules, which lead anywhere
            held = vars(module)
            names |= {name for name in own_names(module) if not isinstance(held[name], ModuleType)}
        for name in sorted(names):
            yield self._walk.token(name)
            yield self._chain(vars(module), (name,), could_be)
        self._inside.discard(id(module))

    def _refer_name(self, holder: Any, name: str, value: Any, path: str) -> bytes:
        """What a name in a namespace or class stands for; watched, unless the tracked code changes it."""
        if (id(holder), name) in self._not_tracked and not is_code(value):
            self.untracked.append(f"{path}: the tracked code changes it")
            return self._refer_changed(value, path)
        self.watched.name(holder, name, value)
        return self._refer(value, path, is_held=False)

    def _refer_changed(self, value: Any, path: str) -> bytes:
        """What the tracked code changes: of a container, such as a registry, the user's code in it counts."""
        found = leaves(value) if is_container(value) else None
        items = [] if found is None else [item for item in found[0] if not is_value(item)]
        code = [] if id(value) in self._inside else [*self._code_of(items, path, is_held=False)]
        if not code:
            return b"-"
        self.watched.spaces.append(value)
        return self._walk.seal(frame(b"~", [b"-", *code]))

    def _describe_class(self, cls: type) -> bytes:
        self.tracked.append(class_name(cls))
        self.watched.spaces.append(vars(cls))
        content, fields = class_members(cls), field_members(cls)
        tokens = [self._refer_code(base) for base in (*cls.__bases__, type(cls))]
        for name in sorted(content):
            token = self._refer_name(cls, name, content[name], f"{class_name(cls)}.{name}")
            tokens += [self._walk.token(name), token]
        for name, held in fields.items():
            token = self._refer(held, f"{class_name(cls)}.{name}", is_held=False)
            tokens += [self._walk.temporary(name), token]
        return frame(b"c", tokens)

    # ---- references ----

    def _refer(self, value: Any, path: str, *, is_held: bool) -> bytes:
        """The token that stands for a value in a node.

        `is_held`: the function holds the value itself (captured, or a default), so that all of it counts.
        """
        if issubclass(type(value), (FunctionType, type)):
            return self._refer_code(value)
        if is_value(value):
            return self._refer_value(value, path, is_held=is_held)
        if issubclass(type(value), ModuleType):
            return self._refer_met_module(value)
        if is_code(value):
            return token_of(value, path=path)
        parts = wrapped(value)
        if parts is not None:
            return self._refer_wrapper(value, parts, path, is_held=is_held)
        return self._refer_object(value, path, is_held=is_held)

    def _refer_value(self, value: Any, path: str, *, is_held: bool) -> bytes:
        """Something fixed, as far as its type says so; one of the user's types may have methods."""
        if may_change(value):
            token = self._count(Live(path, value, is_held=is_held))
        else:
            token = self._constant(path, value, is_held=is_held)
        if not self._is_users(type(value)):
            return token
        return self._walk.seal(
            frame(b"v", [token, self._number(type(value)), *self._given_to(value, path, is_held=is_held)])
        )

    def _given_to(self, value: Any, path: str, *, is_held: bool) -> Iterator[bytes]:
        """What a member of an enumeration holds that can change. What it may be given is watched."""
        if not issubclass(type(value), Enum) or id(value) in self._inside:
            return
        self._inside.add(id(value))
        self.watched.spaces.append(vars(value))
        if not is_value(value._value_) or may_change(value._value_):
            yield self._refer(value._value_, f"{path}.value", is_held=is_held)
        for name, held in given_to(value).items():
            yield self._walk.token(name)
            yield self._refer_name(vars(value), name, held, f"{path}.{name}")
        self._inside.discard(id(value))

    def _refer_wrapper(self, value: Any, parts: list[Any], path: str, *, is_held: bool) -> bytes:
        """Something that holds others: those, and itself if it is the user's. Some hold themselves."""
        if id(value) in self._inside:
            return b"^"
        self._inside.add(id(value))
        inner = [self._refer(part, path, is_held=is_held) for part in parts]
        if "__cache_head__" in vars(type(value)):  # a cached function: what was said of it counts
            inner.append(self._walk.temporary(value.__cache_head__))
            depends = value.__cache_depends__
            if depends is not None:
                inner.append(self._count(Live(f"depends_on={depends} of {path}", depends)))
        elif self._is_users(type(value)):
            inner.append(self._refer_object(value, path, is_held=False))
        self._inside.discard(id(value))
        return self._walk.seal(frame(b"w", [self._walk.token(class_name(type(value))), *inner]))

    def _is_users(self, kind: type) -> bool:
        return is_users(kind.__module__, self._packages)

    def _refer_object(self, value: Any, path: str, *, is_held: bool) -> bytes:
        """A container, array or instance."""
        if is_container(value):
            return self._refer_container(value, path, is_held=is_held)
        if is_held and not has_no_state(value):
            place = self._count(Live(path, value, is_held=True))
            return self._walk.seal(frame(b"~", [place, self._refer_code(type(value))]))
        if is_small_array(value):
            place = self._count(Live(path, value))
            return self._walk.seal(frame(b"~", [place, self._refer_code(type(value))]))
        if not is_held and not has_no_state(value) and self._outline.state(value) is not None:
            return self._refer_container(value, path, is_held=False)
        elif not is_held and (not has_no_state(value) or is_written_in_c(type(value))):
            self.untracked.append(f"{path}: a {class_name(type(value))}, of which only the code is followed")
            return self._walk.seal(frame(b"h", [self._refer_code(type(value)), *self._code_in(value, path)]))
        return self._refer_code(type(value))

    def _code_in(self, value: Any, path: str) -> Iterator[bytes]:
        """The user's functions and classes in an instance whose other content does not count."""
        found = leaves(
            value, lambda part: own_attributes(part) if part is value else self._outline.raw_state(part)
        )
        for item in [] if found is None else found[0]:
            if issubclass(type(item), (FunctionType, type)):
                if is_users(item.__module__, self._packages):
                    yield self._refer_code(item)
            elif issubclass(type(item), ModuleType):
                yield self._refer_met_module(item)
            elif not is_value(item) and wrapped(item) is not None and id(value) not in self._inside:
                self._inside.add(id(value))
                yield self._refer(item, path, is_held=False)
                self._inside.discard(id(value))

    def _refer_code(self, value: Any) -> bytes:
        is_class = isinstance(value, type)
        if not is_users(value.__module__, self._packages) and (is_class or is_importable(value)):
            return self._named(class_name(value) if is_class else function_name(value))
        return self._number(value)

    def _named(self, name: str) -> bytes:
        """Something of a library, by name; framed, so that a text of that content is not taken for it."""
        if name in RUNS_NAMED:
            self.untracked.append(f"{name}: modules that are named at run time")
        return self._walk.seal(frame(b"n", [self._walk.temporary(name)]))

    def _refer_container(self, value: Any, path: str, *, is_held: bool) -> bytes:
        """Tuples and frozensets of simple things by content; what can change is hashed at each call.

        Instances with a simple state are containers here.
        """
        found = leaves(value)
        plain = found is not None and all(map(is_simple, found[0]))
        if not plain and not is_held:
            found = leaves(value, self._outline.state)
        items, is_fixed = ([], False) if found is None else found
        others = [item for item in items if not is_simple(item) and wrapped(item) is None]
        code = [*self._code_of(items, path, is_held=is_held)]
        if plain and is_fixed and not any(is_small_array(item) or may_change(item) for item in items):
            return self._walk.seal(frame(b"t", [self._constant(path, value, is_held=is_held), *code]))
        place = b""
        if is_held:
            place = self._count(Live(path, value, bool(code), is_held=True))
        elif found is None:
            self.untracked.append(f"{path}: a {type(value).__name__} with too many parts")
        elif plain or len(others) < len(items):
            place = self._count(Live(path, value, bool(code), None if plain else self._outline))
            for kind in sorted({class_name(type(other)) for other in others}):
                self.untracked.append(f"{path}: what is a {kind} in it")
        else:
            self.untracked.append(f"{path}: a {type(value).__name__} of other objects")
        return self._walk.seal(frame(b"~", [place, *code]))

    def _code_of(self, items: list[Any], path: str, *, is_held: bool) -> Iterator[bytes]:
        """The functions, classes and wrappers of them among the leaves of a container."""
        for item in items:
            if issubclass(type(item), (FunctionType, type)):
                yield self._refer_code(item)
            elif issubclass(type(item), ModuleType):
                yield self._refer_met_module(item)
            elif is_value(item):
                if self._is_users(type(item)):
                    yield self._number(type(item))
                    yield from self._given_to(item, path, is_held=is_held)
            elif not is_code(item) and wrapped(item) is not None:
                yield self._refer(item, path, is_held=is_held)

    def _count(self, live: Live) -> bytes:
        """Have a value hashed at each call, once however often it is met; its place there, as a token."""
        place = self._places.setdefault(live.identity, len(self.live))
        if place == len(self.live):
            self.live.append(live)
            if not live.is_held:
                name = class_name(type(live.value))
                self.tracked.append(f"{live.path} (a {name}, by its content at each call)")
        return b"%d" % place

    def _constant(self, path: str, value: Any, *, is_held: bool) -> bytes:
        """The token of a value that cannot change in place. What a function holds itself is no global."""
        token = self._part(path, token_of(value, path=path))
        if not is_held:
            self.constants[path, token] = value
        return token

    def _part(self, name: str, token: bytes) -> bytes:
        """Note the token of a part by its name; of several parts of one name the last."""
        self.parts[name] = token
        return token

    def _opens(self, cls: type) -> bool:
        """Whether instances of a class count by content: no method that is called changes them."""
        if cls not in self._opened:
            self._opened[cls] = changed_by(cls, self._called) is None
        return self._opened[cls]
