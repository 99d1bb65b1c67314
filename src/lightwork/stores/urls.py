"""Locations that are URLs. Pure: text in, text out."""

import re

from ..errors import InvalidOption
from ..system.optional import on_demand

__all__ = ["SCHEMES", "checked_url", "is_url", "looks_like_a_broken_url"]

SCHEMES = ("s3", "gs", "az", "file")

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_BROKEN = re.compile(rf"({'|'.join(SCHEMES)}):/[^/]")


def is_url(location: str) -> bool:
    """Whether a location is a URL, of whatever kind."""
    return _URL.match(location) is not None


def looks_like_a_broken_url(path: str) -> bool:
    """Whether a path is what `pathlib` makes of a URL: it takes a slash away."""
    return _BROKEN.match(path) is not None


def checked_url(url: str) -> str:
    """The URL of a store, in the one form that is the same for equal places.

    Raises
    ------
    InvalidOption
        It names no place that a store can be at.
    """
    parse = on_demand("urllib.parse")
    parts = parse.urlsplit(url)
    if parts.scheme not in SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise InvalidOption(f"location={url!r} is no place for a cache: give a folder, or one of {known}")
    if parts.query or parts.fragment:
        raise InvalidOption(f"location={url!r}: leave out what begins with ? or #")
    if parts.username is not None or parts.password is not None:
        raise InvalidOption(
            f"location='{parts.scheme}://...@{parts.hostname}...' has credentials in it: put them into the "
            "environment"
        )
    if parts.scheme == "file" and (parts.netloc or not parts.path.startswith("/")):
        raise InvalidOption(f"location={url!r}: give the whole path of a folder, file:///path/to/folder")
    if parts.scheme != "file" and not parts.netloc:
        raise InvalidOption(f"location={url!r} names no bucket: give {parts.scheme}://bucket/prefix")
    if ":" in parts.netloc:
        raise InvalidOption(
            f"location={url!r}: a bucket has no port; the address of a server stands in the environment, "
            "or in config="
        )
    words = [word for word in parts.path.split("/") if word]
    if any(parse.unquote(word) in (".", "..") for word in words):
        raise InvalidOption(f"location={url!r}: leave out '.' and '..'")
    return f"{parts.scheme}://{parts.netloc}" + "".join(f"/{word}" for word in words)
