"""Which store a URL gets, and with which options."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from ..errors import InvalidOption
from ..hashing.digests import BLAKE3
from ..protocols import Store
from ..system.units import parse_bytes, parse_seconds
from .objects import open_objects
from .opening import open_store
from .tiered import FRESH, FarStore, open_tiered
from .urls import checked_url

__all__ = ["open_url"]


class _Options(NamedTuple):
    local: str | None
    local_bytes: int | None
    fresh: float
    config: tuple[tuple[str, str], ...]
    client_options: tuple[tuple[str, Any], ...]


def open_url(location: str, *, trusted: bool, options: Mapping[str, object]) -> Store:
    """An object store, with a local one before it if the options name a folder for that; as `open_store`."""
    return _open(checked_url(location), trusted, _checked(options))


def _open(url: str, trusted: bool, options: _Options) -> Store:
    if trusted and not url.startswith("file:"):
        raise InvalidOption(f"trust_folder=True means nothing to {url!r}, which is no folder: leave it out")
    if (options.config or options.client_options) and url.startswith("file:"):
        raise InvalidOption(f"config= and client_options= mean nothing to {url!r}: leave them out")
    far = open_objects(url, options.config, options.client_options, trusted)
    if options.local is None:
        return far
    # A folder of its own for each place: equal keys of two buckets would push each other out.
    near = open_store(os.path.join(options.local, BLAKE3.of(url.encode())[:8].hex()), trusted=trusted)
    return open_tiered(near, cast(FarStore, far), options.fresh, options.local_bytes)


def _checked(options: Mapping[str, Any]) -> _Options:  # Any: checked here
    unknown = sorted(set(options) - set(_Options._fields))
    if unknown:
        known = ", ".join(_Options._fields)
        raise InvalidOption(f"backend_options={unknown} are not known to an object store, only {known}")
    local = options.get("local")
    if local is not None and not isinstance(local, str | os.PathLike):
        raise InvalidOption(f"local={local!r} is no path: give a folder on a disk of this host, or None")
    for name in ("config", "client_options"):
        given = options.get(name, {})
        if not isinstance(given, Mapping) or not all(isinstance(key, str) for key in given):
            raise InvalidOption(f"{name}= is no mapping with names: give what obstore takes as {name}=")
    if local is None and not {"local_bytes", "fresh"}.isdisjoint(options):
        raise InvalidOption("local_bytes= and fresh= speak of local copies: name a folder for them as local=")
    nbytes, fresh = options.get("local_bytes"), options.get("fresh", FRESH)
    return _Options(
        local=None if local is None else os.path.abspath(os.path.expanduser(os.fspath(local))),
        local_bytes=None if nbytes is None else parse_bytes(nbytes, name="local_bytes"),
        fresh=0.0 if fresh == 0 else parse_seconds(fresh, name="fresh"),
        config=tuple(sorted(options.get("config", {}).items())),
        client_options=tuple(sorted(options.get("client_options", {}).items())),
    )
