"""How one function is cached: the options of `Memory` and of `Memory.cache`, checked."""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import hashing, memory, stores
from ..errors import InvalidOption
from ..protocols import Limits, Store
from ..system.figures import whole
from .facts import Metadata

if TYPE_CHECKING:
    from ..hashing.calls import CallKeys
    from ..hashing.depends import Dependency
    from .compression import Compression

__all__ = ["Options", "check_function", "check_mmap_mode", "check_place", "dependencies", "names"]


class Options(NamedTuple):
    """What the user asked for; the defaults are those of `Memory.cache`."""

    ignore: tuple[str, ...] = ()
    verbose: int = 0
    mmap_mode: str | None = None
    is_valid: Callable[[Metadata], bool] | None = None
    version: str | float | bytes | None = None
    track: str = "deep"
    key: Callable[..., Any] | None = None
    on_error: str = "warn"
    user_code: tuple[str, ...] = ()
    depends_on: "tuple[Dependency, ...]" = ()
    check_mutation: bool = False
    ttl: float | None = None  # seconds; inf: for ever
    stale: float | None = None  # seconds
    limits: Limits | None = None
    hot_bytes: int = 0
    compression: "Compression | None" = None

    def check(self) -> None:
        """Refuse what cannot be right. What `CallKeys` checks is left to `keys_of`."""
        check_mmap_mode(self.mmap_mode)
        if self.compression is not None:
            memory.compression.check_mapping(self.compression, self.mmap_mode)
        if not isinstance(self.verbose, bool) and whole(self.verbose) is None:
            raise InvalidOption(
                f"verbose={self.verbose!r} is no number: give 0 for silence, 1 or more for logs"
            )
        if self.is_valid is not None and not callable(self.is_valid):
            raise InvalidOption(
                f"cache_validation_callback={self.is_valid!r} needs to be callable: give a function of the "
                "metadata, such as lightwork.expires_after(days=1)"
            )
        if not isinstance(self.check_mutation, bool):
            raise InvalidOption(f"check_mutation={self.check_mutation!r} is no bool: give True or False")
        if self.on_error not in ("warn", "raise"):
            raise InvalidOption(f"on_error={self.on_error!r} is not known: give 'warn' or 'raise'")

    def keys_of(self, func: Callable[..., Any]) -> "CallKeys":
        """What makes the keys of a function. Refuses whatever cannot be right about it or the options."""
        check_function(func)
        self.check()
        return hashing.calls.CallKeys(
            func,
            ignore=self.ignore,
            version=self.version,
            track=self.track,
            key=self.key,
            user_code=self.user_code,
            depends_on=self.depends_on,
        )


def check_place(
    location: object, backend: object, backend_options: object, store: object, trust_folder: object
) -> None:
    """Refuse, by name, what no `Memory` can be at."""
    if location is not None and not isinstance(location, str | os.PathLike):
        raise InvalidOption(
            f"location={location!r} is no path: give a folder (text or Path), None, or a store as store="
        )
    if backend_options is not None and not isinstance(backend_options, Mapping):
        raise InvalidOption(f"backend_options={backend_options!r} is no mapping of names to values")
    if backend != "local":
        memory.backends.BACKENDS.named(backend)
        if trust_folder is True:
            raise InvalidOption(f"trust_folder=True means nothing to backend={backend!r}: leave it out")
    elif location is not None:
        _check_location(location, backend_options)
    elif backend_options:
        raise InvalidOption(f"backend_options={backend_options!r}: the backend 'local' knows none")
    if store is not None and (location is not None or backend != "local"):
        raise InvalidOption(
            "location= and backend= exclude store=, which is a store already and knows where it is"
        )
    if store is not None and not isinstance(store, Store):
        lacking = memory.backends.missing_methods(store)
        raise InvalidOption(f"store={store!r} is no lightwork.protocols.Store: it has no {lacking}")
    if not isinstance(trust_folder, bool):
        raise InvalidOption(f"trust_folder={trust_folder!r} is no bool: give True or False")


def _check_location(location: str | os.PathLike[str], backend_options: object) -> None:
    """Refuse what is nearly a URL, and options for what is none."""
    text = os.fsdecode(location)
    if ":/" in text and stores.urls.looks_like_a_broken_url(text):
        raise InvalidOption(
            f"location={location!r}: a URL has two slashes, and pathlib takes one away; give it as text"
        )
    if backend_options and not ("://" in text and stores.urls.is_url(text)):
        raise InvalidOption(
            f"backend_options={backend_options!r}: the backend 'local' knows none for folders"
        )


def check_mmap_mode(mode: object) -> None:
    """Refuse modes that would write into the cache, and those that do not exist."""
    if mode in ("r+", "w+"):
        raise InvalidOption(
            f"mmap_mode={mode!r} would let callers change what the cache holds: use 'r' for read-only "
            "arrays, or 'c' (as is the default) for private writable ones"
        )
    if mode not in (None, "c", "r"):
        raise InvalidOption(f"mmap_mode={mode!r} is not known: give None, 'c' or 'r'")


def check_function(func: object) -> None:
    """Refuse what cannot be cached, by name."""
    if not callable(func):
        raise InvalidOption(f"{func!r} cannot be called: give a function")
    memory.kinds.check_kind(func)


def names(ignore: Iterable[str] | None) -> tuple[str, ...]:
    """The names of ``ignore=``; a text in place of a list is refused."""
    if isinstance(ignore, str):
        raise InvalidOption(f"ignore={ignore!r} is a text: give a list of parameter names, [{ignore!r}]")
    if ignore is not None and not isinstance(ignore, Iterable):
        raise InvalidOption(f"ignore={ignore!r} is no list: give a list of parameter names")
    return tuple(ignore or ())


def dependencies(given: "Iterable[Dependency]") -> "tuple[Dependency, ...]":
    """What ``depends_on=`` lists; one thing in place of a list is refused."""
    if isinstance(given, str | os.PathLike) or callable(given) or not isinstance(given, Iterable):
        raise InvalidOption(f"depends_on={given!r} is no list: write depends_on=[...] around it")
    return tuple(given)
