"""How a command gets at a cache: the path, and the secret of signed ones."""

import os
from argparse import ArgumentParser, Namespace

from ... import stores
from ...memory import Memory
from ...protocols import SupportsReach, supports
from ..command import FAILED, USAGE, Refusal, add_json, refused_path

__all__ = ["add_cache", "folders_of", "opened", "place_of"]

_OURS = "lightwork-"


def add_cache(parser: ArgumentParser, *, json: str) -> None:
    """The arguments that every command on caches has; `json` is what ``--json`` tells."""
    parser.add_argument(
        "path", metavar="PATH", help="the location of a Memory (a folder or a URL), or of a checkpoint"
    )
    parser.add_argument(
        "--secret",
        metavar="FILE",
        help="the secret of Memory(sign=...), for names and calls of signed results",
    )
    add_json(parser, json)


def opened(given: Namespace, *, trusts: bool = True) -> Memory:
    """The cache that the arguments name.

    Parameters
    ----------
    trusts
        Also one that others may write to, for commands that unpickle nothing.

    Raises
    ------
    Refusal, StoreUnavailable
        There is none; it cannot be read, or reached; the secret cannot be read.
    """
    location = place_of(given.path)
    is_folder = "://" not in location or location.startswith("file:")
    memory = Memory(location, trust_folder=trusts and is_folder, sign=_secret(given.secret))
    store: object = memory.store
    if supports(store, SupportsReach):
        store.reach()  # else it would look like an empty cache
    return memory


def place_of(path: str) -> str:
    """The location of the cache that a user means: what is ours inside of it stands for it, too."""
    location = os.path.expanduser(path)
    head, tail = os.path.split(os.path.normpath(location))
    if tail.startswith(_OURS) and os.path.isdir(location) and not stores.has_store(location):
        location = head or "."
    if "://" in path or stores.has_store(location):
        _check_readable(location)
        return location
    if not os.path.lexists(location):
        raise Refusal(f"{path!r} does not exist: give the location of a Memory", USAGE)
    if not os.path.isdir(location):
        raise Refusal(f"{path!r} is a file: give the location of a Memory, which is a folder", USAGE)
    if os.path.isdir(os.path.join(location, "joblib")):
        raise Refusal(
            f"{path!r} holds a cache of joblib's, in the layout of joblib: this command knows that of "
            "lightwork.Memory",
            USAGE,
        )
    raise Refusal(f"{path!r} holds no cache: nothing was ever kept there", USAGE)


def _check_readable(location: str) -> None:
    # What a store cannot read is a miss for it, and would look like an empty cache here.
    if os.path.isdir(location):
        for folder in (location, *folders_of(location)):
            if not os.access(folder, os.R_OK | os.X_OK):
                raise Refusal(f"{folder!r} may not be read by this user", FAILED)


def folders_of(location: str) -> list[str]:
    """What is ours in a location, in which a user may keep other things too."""
    if not os.access(location, os.R_OK | os.X_OK):
        return []
    return [os.path.join(location, name) for name in os.listdir(location) if name.startswith(_OURS)]


def _secret(path: str | None) -> bytes | None:
    if path is None:
        return None
    try:
        with open(path, "rb") as file:
            return file.read().rstrip(b"\r\n")
    except OSError as exc:
        raise refused_path(path, exc) from exc
