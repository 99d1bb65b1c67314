"""``{defaults} lightwork:Parallel``: a table of the parameters and defaults, from the signature."""

import inspect
from importlib import import_module
from typing import ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def parameters(name: str) -> list[inspect.Parameter]:
    """Those of ``package.name`` or ``package.Class.method`` that a caller may give."""
    module, _, path = name.partition(":")
    found = import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    hidden = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    listed = inspect.signature(found).parameters.values()
    return [each for each in listed if each.name != "self" and each.kind not in hidden]


def default_of(parameter: inspect.Parameter) -> str:
    """As it is written in code; a dash where a value must be given."""
    if parameter.default is inspect.Parameter.empty:
        return "–"
    default = getattr(parameter.default, "default", parameter.default)  # of an `Unset`
    return f"`{getattr(default, '__name__', None) or repr(default)}`"


class Defaults(SphinxDirective):
    """The content gives a meaning for each parameter, ``name: text``, one a line, and must miss none."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar = {}

    def run(self) -> list[nodes.Node]:
        meanings = dict(line.split(": ", 1) for line in self.content if line.strip())
        listed = parameters(self.arguments[0])
        names = {each.name for each in listed}
        if names != set(meanings):
            raise self.error(f"{self.arguments[0]}: {sorted(names ^ set(meanings))} are missing, or unknown")
        lines = ["| option | default | meaning |", "|---|---|---|"]
        for each in listed:
            positional = each.kind is not inspect.Parameter.KEYWORD_ONLY
            place = "" if positional else "\\*"
            lines.append(f"| `{each.name}`{place} | {default_of(each)} | {meanings[each.name]} |")
        container = nodes.container()
        self.state.nested_parse(StringList(lines), self.content_offset, container)
        return container.children


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("defaults", Defaults)
    return {"parallel_read_safe": True}
