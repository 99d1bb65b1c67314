"""The code blocks of a page: what stands between fences, and what hidden comments put before it.

::

    <!-- setup              code that a reader can think up; it runs before the block that follows
    rows = [1, 2, 3]
    -->

    *Not run here: it needs a cluster.*      the block that follows is compiled, and not run

Python blocks with ``>>>`` are doctests. Blocks of other languages (``text``, ``toml``, directives of the
site) are not run; a language that nobody knows is an error, so that no block is left out by a slip.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["RUN", "SHOWN", "Block", "blocks_of", "pages"]

ROOT = Path(__file__).resolve().parents[2]

RUN = ("python", "sh")
SHOWN = ("", "text", "toml", "yaml", "json", "bash", "make")
_FENCE = re.compile(r"^(?P<marks>`{3,}|:{3,})(?P<language>.*)$")
_REASON = re.compile(r"^\*Not run here: (?P<reason>.+)\*$")


class Block(NamedTuple):
    """One block of code."""

    language: str
    code: str
    line: int
    """Number of its first line in the page, from 1."""
    reason: str = ""
    """Why it is not run; empty if it is."""


def pages() -> list[Path]:
    """Every page that users read."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks_of(page: Path) -> Iterator[Block]:
    """The blocks of a page in order; a hidden setup is a block of its own.

    Raises
    ------
    ValueError
        A fence or a comment is not closed, a language is not known, or a reason stands before no block.
    """
    lines = page.read_text(encoding="utf-8").splitlines()
    number, reason = 0, ""
    while number < len(lines):
        line = lines[number]
        number += 1
        if line == "<!-- setup":
            end = _end(lines, number, "-->", page)
            yield Block("python", "\n".join(lines[number:end]), number + 1)
            number = end + 1
        elif found := _REASON.match(line):
            reason = found["reason"]
        elif found := _FENCE.match(line):
            end = _end(lines, number, found["marks"], page)
            language = found["language"].strip()
            if language in RUN:
                yield Block(language, "\n".join(lines[number:end]), number + 1, reason)
            elif language not in SHOWN and not language.startswith("{"):
                raise ValueError(f"{page.name}:{number}: the language {language!r} is not known")
            number, reason = end + 1, ""
        elif line.strip() and reason:
            raise ValueError(f"{page.name}:{number}: a reason for not running stands before no block")


def _end(lines: list[str], start: int, mark: str, page: Path) -> int:
    for number in range(start, len(lines)):
        if lines[number] == mark:
            return number
    raise ValueError(f"{page.name}:{start}: there is no {mark} that ends this block")
