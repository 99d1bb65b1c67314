"""The house as a table, and the reading of imports from source. ARCHITECTURE.md shows the same table."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "lightwork"

FLOORS = {
    "errors": 0,
    "protocols": 0,
    "_version": 0,
    "system": 1,
    "arrays": 2,
    "pictures": 2,
    "hashing": 3,
    "parcel": 3,
    "stores": 4,
    "engines": 4,
    "persistence": 5,
    "memory": 5,
    "parallel": 5,
    "__init__": 6,
    "compat": 7,
    "testing": 7,
    "cli": 8,
    "__main__": 9,
}

# The one step on a floor: protocols speak of the errors that travel in their events.
STEPS = {("protocols", "errors")}

# Where imports inside functions are the point: optional libraries, and the façade (PEP 562).
DOORS = {"system/optional.py", "engines/registry.py", "__init__.py"}


class Import(NamedTuple):
    """One import: who (module inside the package), whom (dotted name), where, and whether in a function."""

    source: str
    target: str
    line: int
    nested: bool


def modules() -> dict[str, Path]:
    """Dotted name inside the package (``"stores.sqlite"``, ``"__init__"``) to file, for all modules."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[-1] == "__init__" and len(parts) > 1:
            parts = parts[:-1]
        found[".".join(parts)] = path
    return found


def package_of(module: str) -> str:
    """The entry of the floor table that a module belongs to."""
    return module.split(".")[0]


def imports(module: str, path: Path) -> Iterator[Import]:
    """All imports of a file, those under ``if TYPE_CHECKING`` left out: they have no effect at run time."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    yield from _walk(tree, module, is_package=path.name == "__init__.py", nested=False)


def _walk(node: ast.AST, module: str, *, is_package: bool, nested: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(module, alias.name, child.lineno, nested)
        elif isinstance(child, ast.ImportFrom):
            base = _resolve(module, child, is_package=is_package)
            for alias in child.names:
                yield Import(module, f"{base}.{alias.name}" if base else alias.name, child.lineno, nested)
        inside = nested or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _walk(child, module, is_package=is_package, nested=inside)


def _resolve(module: str, node: ast.ImportFrom, *, is_package: bool) -> str:
    if node.level == 0:
        return node.module or ""
    parts = [] if module == "__init__" else module.split(".")
    drop = node.level - 1 if is_package else node.level
    base = parts[: len(parts) - drop] if module != "__init__" else []
    return ".".join(["lightwork", *base, *([node.module] if node.module else [])])


def own_target(target: str, known: dict[str, Path]) -> str | None:
    """The module of the package that an imported name lies in, or ``None`` if it is foreign."""
    if target != "lightwork" and not target.startswith("lightwork."):
        return None
    parts = target.split(".")[1:]
    while parts and ".".join(parts) not in known:
        parts = parts[:-1]
    return ".".join(parts) or "__init__"
