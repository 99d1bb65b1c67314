"""Rows of ``benchmarks/RESULTS.md``: ``{losses}`` lists those where joblib wins or a target is missed.

They are read when the site is built, so the page cannot say anything else than the file.
"""

import re
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

RESULTS = Path(__file__).parents[2] / "benchmarks" / "RESULTS.md"


def rows(text: str) -> list[list[str]]:
    """The cells of the first table, without its heading."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines[2:]]


def is_slower(row: list[str]) -> bool:
    """Whether joblib is faster in this row."""
    ratio = re.match(r"([\d.]+) ×", row[4])
    return ratio is not None and float(ratio[1]) < 1


def is_short(row: list[str]) -> bool:
    """Whether our own target is missed."""
    return "short" in row[7]


CHOICES = {"slower": is_slower, "short": is_short}


class Losses(SphinxDirective):
    """``{losses} slower`` or ``{losses} short``: a table of the rows that are so."""

    required_arguments = 1
    option_spec: ClassVar = {}

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(RESULTS))
        chosen = [row for row in rows(RESULTS.read_text()) if CHOICES[self.arguments[0]](row)]
        lines = [
            "| work | lightwork | joblib | joblib ÷ lightwork | others and yardsticks | target |",
            "|---|--:|--:|--:|---|---|",
        ]
        lines += [f"| {row[0]}: {row[1]} | {' | '.join(row[2:7])} |" for row in chosen]
        if not chosen:
            lines = ["None in the last run."]
        container = nodes.container()
        self.state.nested_parse(StringList(lines, source=str(RESULTS)), self.content_offset, container)
        return container.children


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("losses", Losses)
    return {"parallel_read_safe": True}
