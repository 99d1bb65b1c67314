"""A whole page, which needs no network and runs no script but its own; and fragments of notebooks."""

import base64
import hashlib
import json
import os
from importlib.resources import files
from typing import Any

from ..errors import InvalidOption
from ..system.atomic import atomic_writer
from .markup import Content, Markup, element, joined

__all__ = ["document", "fragment", "save"]


def document(title: str, *body: Content, data: object = None) -> str:
    """An HTML file.

    Parameters
    ----------
    body
        What is shown; texts are escaped.
    data
        What the script draws, as JSON can say it: see `timeline`. ``None``: there is nothing to draw.
    """
    script = _file("timeline.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # Should a value ever get through as code, the browser would neither run it nor load anything for it.
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:"
    head = [
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("link", rel="icon", href="data:,"),
        element("title", title),
        element("style", Markup(_file("style.css"))),
    ]
    parts = [element("main", element("h1", title), *body, class_="lightwork page")]
    if data is not None:
        parts += [
            element("script", _embedded(data), type="application/json", id="data"),
            element("script", Markup(script)),
        ]
    page = element("html", element("head", *head), element("body", *parts), lang="en")
    return f"<!DOCTYPE html>\n{page}\n"


def fragment(*body: Content) -> str:
    """What a notebook shows: no script, in the colours of the notebook."""
    return element("div", element("style", Markup(_file("style.css"))), *body, class_="lightwork")


def save(path: str | os.PathLike[str], text: str) -> None:
    """Write a page, whole or not at all.

    Raises
    ------
    InvalidOption
        The name does not end in ``.html`` or ``.htm``, or its folder is not there.
    OSError
        As from `open` and `write`.
    """
    if isinstance(path, bytes) or not isinstance(path, str | os.PathLike):
        raise InvalidOption(f"{path!r} is no path: give the name of an HTML file to write")
    name = os.fspath(path)
    if not name.lower().endswith((".html", ".htm")):
        # So that nobody writes a picture over what it was drawn from.
        raise InvalidOption(f"{name!r} does not end in .html: give the name of an HTML file to write")
    folder = os.path.dirname(os.path.abspath(name))
    if "\0" in name or not os.path.isdir(folder) or os.path.isdir(name):
        raise InvalidOption(f"{name!r} cannot be written: give a file in a folder that is there")
    with atomic_writer(name, sync=False) as file:
        file.write(text.encode("utf-8", "replace"))  # a lone surrogate in a call's text is no reason to fail


def _embedded(data: Any) -> Markup:  # Any: what json takes
    """JSON that no HTML parser takes for the end of its element, whatever texts are in it."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return joined([Markup(text.replace("<", "\\u003c"))])


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
