"""From the content of a file to its value, with errors that name the file and what wrote it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .. import parcel
from ..errors import FileFormatError
from .mapping import join_native

if TYPE_CHECKING:
    from ..parcel.reader import Content

__all__ = ["explained", "joined", "named"]


@contextmanager
def named(name: str) -> Iterator[None]:
    """Put the name of the file into errors about its bytes."""
    try:
        yield
    except FileFormatError as exc:
        raise type(exc)(f"cannot read {name}: {exc}") from exc.__cause__


def joined(content: "Content", native: bool, name: str) -> Any:  # Any: the user's value
    """The value of what was read from the file `name`."""
    with explained(content.facts, name):
        return join_native(content) if native else parcel.parcels.join(content.skeleton, content.buffers)


@contextmanager
def explained(facts: dict[str, Any], name: str) -> Iterator[None]:
    """Tell with any error of unpickling what wrote the file and what reads it."""
    try:
        yield
    except Exception as exc:
        exc.add_note(
            f"{name} was written by {_described(facts)}; here: {_described(parcel.facts.here(facts))}."
        )
        raise


def _described(facts: dict[str, Any]) -> str:
    packages = "".join(f", {name} {version}" for name, version in sorted(facts.get("packages", {}).items()))
    interpreter = f"Python {facts.get('python')} on {facts.get('platform')}"
    return f"lightwork {facts.get('lightwork')}, {interpreter}{packages}"
