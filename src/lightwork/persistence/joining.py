"""The content of a container becomes a value, and what goes wrong then is explained."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import parcel
from ..errors import FileFormatError, FileWarning, LightworkError
from ..system.log import warn_user
from .mapping import join_native
from .options import MmapMode
from .ways import TRUSTED, Way

if TYPE_CHECKING:
    from ..parcel.reader import Content

__all__ = ["Wanted", "explained", "explained_foreign", "joined", "named", "tell_differing"]


class Wanted(NamedTuple):
    """How a value is to be loaded."""

    native: bool
    """Whether arrays are turned to the byte order of this machine."""

    mmap_mode: MmapMode | None = None
    way: Way = TRUSTED


def joined(content: "Content", wanted: Wanted, name: str) -> Any:  # Any: the user's value
    """The value. Errors of unpickling get a note that tells of versions."""
    if content.differs:
        tell_differing(name)
    with explained(content.facts, name), named(name):
        if wanted.native:
            return join_native(content, wanted.way.join)
        return wanted.way.join(None, content.skeleton, content.buffers)


def tell_differing(name: str) -> None:
    """Warn that nobody can tell whether the arrays of a file are what was written to them."""
    warn_user(
        f"{name} was mapped for writing, and its arrays do not match their checksums any more: what was "
        "written to them cannot be told from damage; dump its value again to give it new checksums",
        FileWarning,
    )


@contextmanager
def named(name: str) -> Iterator[None]:
    """Put the name of the file into errors about its bytes."""
    try:
        yield
    except FileFormatError as exc:
        raise type(exc)(f"cannot read {name}: {exc}") from exc.__cause__


@contextmanager
def explained(facts: dict[str, Any], name: str) -> Iterator[None]:  # Any: see `parcel.facts`
    """Tell with any error of unpickling what wrote the file and what reads it."""
    try:
        yield
    except Exception as exc:
        here = _described(parcel.facts.here(facts))
        exc.add_note(f"{name} was written by {_described(facts)}; here: {here}.{_way_out(exc)}")
        raise


@contextmanager
def explained_foreign(name: str) -> Iterator[None]:
    """As `explained`, for files that do not tell what wrote them."""
    try:
        yield
    except LightworkError:
        raise
    except Exception as exc:
        here = _described(parcel.facts.here({"packages": ("joblib", "numpy")}))
        exc.add_note(
            f"{name} is a pickle or of joblib: such files do not tell what wrote them; here: {here}."
            f"{_way_out(exc)}"
        )
        raise


def _way_out(exc: Exception) -> str:
    if not isinstance(exc, ImportError | AttributeError):
        return ""
    return ' If that has moved or got another name: load(..., renames={"old.module": "new.module"}).'


def _described(facts: dict[str, Any]) -> str:
    packages = "".join(f", {name} {version}" for name, version in sorted(facts.get("packages", {}).items()))
    interpreter = f"Python {facts.get('python')} on {facts.get('platform')}"
    return f"lightwork {facts.get('lightwork')}, {interpreter}{packages}"
