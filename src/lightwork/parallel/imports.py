"""Noticing that a library is imported, at the moment when it is."""

import sys
from collections.abc import Callable, Collection, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

__all__ = ["ImportWatch"]


class ImportWatch:
    """A finder in front of all others that looks for a few modules, and says when one of them is complete.

    It sees modules that lie in folders of ``sys.path``, as installed libraries do.
    """

    def __init__(self, names: Collection[str], notice: Callable[[ModuleType], object]) -> None:
        """`notice` is called right after the import, before anybody can use the module."""
        self._names = frozenset(names)
        self._notice = notice

    def begin(self) -> None:
        """Watch from now on."""
        sys.meta_path.insert(0, self)

    def end(self) -> None:
        """Watch no more."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As ``PathFinder`` finds it, with a loader that tells."""
        if name not in self._names:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            load, notice = spec.loader.exec_module, self._notice

            def load_and_tell(module: ModuleType) -> None:
                load(module)
                notice(module)

            # The loader is made for this spec alone.
            spec.loader.exec_module = load_and_tell  # type: ignore[method-assign]  # see above
        return spec
