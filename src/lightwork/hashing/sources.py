"""Modules that are imported inside a function: tracked as whole modules, without importing them.

At the time of the fingerprint such a module may be loaded or not; the key must not depend on that. So its
code is read from its file (through ``__pycache__``, as an import would), and that of the user's modules
that it imports. What they hold besides, once they are loaded, is for `late` to say.
"""

import sys
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType
from typing import Any

from .bytecode import Import, uses
from .library import is_library, is_library_file
from .walk import Walk, frame

__all__ = ["source_token"]


def source_token(
    walk: Walk,
    statement: Import,
    namespace: dict[str, Any],
    packages: frozenset[str],
    codes: dict[str, CodeType | None],
    found: dict[str, tuple[CodeType, ...]],
) -> bytes | None:
    """The token of the modules that a statement imports; ``None`` if the source of the first is not found.

    `codes` keeps the code of modules from one statement to the next. The user's modules that are imported are
    put into `found`, with their code, or what may be running in place of it.
    """
    sources = _Sources(walk, packages, codes)
    known = sources.add(statement, namespace.get("__package__") or "")
    for name in sources.named & sources.running.keys():
        found[name] = sources.running[name]
    return walk.seal(frame(b"I", sources.tokens)) if known else None


class _Sources:
    """The user's modules that an import loads, as tokens of their names and code.

    Those of libraries are names.
    """

    def __init__(self, walk: Walk, packages: frozenset[str], codes: dict[str, CodeType | None]) -> None:
        self._codes = codes
        self.tokens: list[bytes] = []
        self.named: set[str] = set()  # without the packages that they lie in
        self.running: dict[str, tuple[CodeType, ...]] = {}
        self._walk = walk
        self._packages = packages
        self._seen: set[str] = set()

    def add(self, statement: Import, package: str) -> bool:
        """Add the module, the packages that it lies in, and what is imported from it by name."""
        name = _absolute(statement, package)
        parts = name.split(".")
        for count in range(1, len(parts)):
            self._module(".".join(parts[:count]))
        known = self._module(name)
        self.named.add(name)
        for inner in statement.names:
            self._module(f"{name}.{inner}")
            self.named.add(f"{name}.{inner}")
        return known

    def _module(self, name: str) -> bool:
        """Whether the module was found. What it imports in its turn is added, wherever it does so."""
        if name in self._seen:
            return True
        spec = _spec(name) if name.partition(".")[0] not in sys.stdlib_module_names else None
        if spec is None and name.partition(".")[0] not in sys.stdlib_module_names:
            return False
        self._seen.add(name)
        self.tokens.append(self._walk.temporary(name))
        if spec is None or not spec.has_location or not spec.origin or self._is_librarys(spec.origin, name):
            return True
        package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
        try:
            code = self._code(name, spec.origin)
            self.tokens.append(self._walk.temporary(code or _bytes_of(spec.origin)))
            others = _RUNNING.others(name, code)
            self.tokens += [self._walk.temporary(other) for other in others]
            self.running[name] = tuple(filter(None, (code, *others)))
        except (OSError, SyntaxError):  # in an archive, or an import that will fail
            return False
        for statement in uses(code).imports if code else ():
            self.add(statement, package)
        return True

    def _code(self, name: str, origin: str) -> CodeType | None:
        if name not in self._codes:
            is_source = origin.endswith(".py")
            self._codes[name] = _RUNNING.code(name, origin) if is_source else None
        return self._codes[name]

    def _is_librarys(self, origin: str, name: str) -> bool:
        if name.partition(".")[0] in self._packages:
            return False
        return is_library(name) or is_library_file(origin)


class _Running:
    """Which code of a module runs in this process: a file may be edited after it was loaded.

    A result must not be kept under the key of code that did not make it. Safe to use from several threads:
    an entry is replaced as a whole.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[ModuleSpec | None, tuple[CodeType | None, ...]]] = {}

    def code(self, name: str, origin: str) -> CodeType | None:
        """The code that was loaded, or would be. A reload gives a module another spec."""
        spec = getattr(sys.modules.get(name), "__spec__", None)
        before: ModuleSpec | None
        codes: tuple[CodeType | None, ...]
        before, codes = self._known.get(name, (spec, ()))
        if spec is None or not codes or (before is not None and before is not spec):  # equal is not enough
            codes = (SourceFileLoader(name, origin).get_code(name),)
        elif before is None:  # loaded since: from this file or, if it was edited, the one that it was before
            now = SourceFileLoader(name, origin).get_code(name)
            codes = codes if now == codes[0] else (now, codes[0])
        self._known[name] = spec, codes
        return codes[0]

    def others(self, name: str, code: CodeType | None) -> tuple[CodeType | None, ...]:
        """What may be running in place of `code`."""
        codes = self._known.get(name, (None, ()))[1]
        return codes[1:] if codes and codes[0] is code else ()


_RUNNING = _Running()


def _absolute(statement: Import, package: str) -> str:
    if not statement.level:
        return statement.module
    parts = package.split(".")
    base = parts[: len(parts) - statement.level + 1]
    return ".".join([*base, statement.module] if statement.module else base)


def _spec(name: str) -> ModuleSpec | None:
    """Where a module comes from: as it was loaded, else as it would be."""
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__spec__", None) is not None:
        return loaded.__spec__
    path = None
    found = None
    whole = ""
    for part in name.split("."):
        if whole and path is None:  # not a package
            return None
        whole = f"{whole}.{part}" if whole else part
        found = PathFinder.find_spec(whole, path)
        if found is None:
            return None
        path = found.submodule_search_locations
    return found


def _bytes_of(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
