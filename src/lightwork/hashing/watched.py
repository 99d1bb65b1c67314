"""What a survey of code looked at and what must stay as it is for its outcome to hold."""

from types import CellType, FunctionType
from typing import Any

__all__ = ["Watched"]

# Any: namespaces are dicts and mapping proxies; names stand for whatever users bind to them.


class Watched:
    """Collected by a survey, compared by identity at each call.

    Attributes
    ----------
    names
        For each namespace (by identity): the namespace and what each watched name stood for.
    absent
        Namespaces and names in them that stood for nothing; names of builtins too, which a module may hide.
    spaces
        Namespaces of classes and functions, and containers, in which there may be more later: a new name may
        hide one that was inherited.
    functions, cells
        Functions whose ``__code__`` and defaults, and cells whose content must stay what they are.
    """

    def __init__(self) -> None:
        self.names: dict[int, tuple[Any, dict[str, Any]]] = {}
        self.absent: list[tuple[dict[str, Any], str]] = []
        self.spaces: list[Any] = []
        self.functions: list[FunctionType] = []
        self.cells: list[tuple[CellType, Any]] = []

    def name(self, holder: Any, name: str, value: Any) -> None:
        """Watch what a name in a namespace or class stands for."""
        space = vars(holder) if isinstance(holder, type) else holder
        self.names.setdefault(id(holder), (space, {}))[1][name] = value
