"""Modules that are imported inside a function: tracked as whole source files, without importing them.

At the time of the fingerprint such a module may be loaded or not; the key must not depend on that.
"""

import sys
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

from .bytecode import Import
from .library import is_library_file
from .walk import Walk, frame

__all__ = ["source_token"]


def source_token(
    walk: Walk, statement: Import, namespace: dict[str, Any], packages: frozenset[str]
) -> bytes | None:
    """The token of the module that a statement imports; ``None`` if its source cannot be found."""
    name = _absolute(statement, namespace)
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names:
        return walk.token(name)
    spec = _spec(name)
    if spec is None:
        return None
    if not spec.has_location or not spec.origin:
        return walk.token(name)
    if is_library_file(spec.origin) and top not in packages:
        return walk.token(name)
    return walk.seal(frame(b"I", [walk.token(name), walk.temporary(_sources(spec, statement.names))]))


def _absolute(statement: Import, namespace: dict[str, Any]) -> str:
    if not statement.level:
        return statement.module
    package = namespace.get("__package__") or ""
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
        whole = f"{whole}.{part}" if whole else part
        found = PathFinder.find_spec(whole, path)
        if found is None:
            return None
        path = found.submodule_search_locations
    return found


def _sources(spec: ModuleSpec, names: tuple[str, ...]) -> list[bytes]:
    """The bytes of the module's source, and of the submodules that are imported from it by name."""
    assert spec.origin is not None
    sources = [_bytes_of(spec.origin)]
    for name in names:
        inner = _spec(f"{spec.name}.{name}") if spec.submodule_search_locations else None
        if inner is not None and inner.origin and inner.has_location:
            sources.append(_bytes_of(inner.origin))
    return sources


def _bytes_of(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
