"""What an `Inspection` looks like in a notebook."""

from ..pictures import document, parts
from ..pictures.markup import Content, element
from ..system.units import size
from .inspection import Inspection

__all__ = ["fragment_of"]

_TYPES = 20


def fragment_of(found: Inspection) -> str:
    """What Jupyter shows below a cell. No file is read for it."""
    inside = sum(segment.nbytes for segment in found.segments) + found.skeleton_nbytes
    in_blocks = sum(1 for segment in found.segments if segment.blocks)
    facts: list[tuple[str, Content]] = [
        ("size", f"{size(found.nbytes)}, {size(inside)} when loaded"),
        ("written by", f"lightwork {found.lightwork}, Python {found.python} on {found.platform}"),
        ("packages", ", ".join(f"{name} {version}" for name, version in found.packages) or "none"),
        ("types", _types(found.types)),
        ("segments", f"{len(found.segments):,}, {in_blocks:,} of them compressed"),
    ]
    if found.compressor:
        facts.append(("compressed as a whole", found.compressor))
    changed = "Its arrays were mapped for writing: their checksums are those of what was dumped."
    return document.fragment(
        element("div", element("b", found.path)),
        parts.facts(facts),
        parts.note(changed) if found.changed_in_place else None,
    )


def _types(types: tuple[str, ...]) -> str:
    more = len(types) - _TYPES
    return (", ".join(types[:_TYPES]) or "builtin ones only") + (f", and {more:,} more" if more > 0 else "")
