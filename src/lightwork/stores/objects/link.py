"""The way to an object store: seven requests, and what goes wrong with them made plain.

obstore does the talking, retries with growing pauses that are partly chance, and limits each request in time.
What still fails is `StoreUnavailable`, and then nobody asks for a while (`rest`).
"""

import contextlib
import errno
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote, urlsplit

from ...errors import InvalidOption, StoreUnavailable
from ...protocols import Buffer
from ...system.clock import Clock
from ...system.mapped import fresh_memory
from ...system.optional import require
from ...system.threads import HelperThreads, interruptibly
from ..folder import check_trust, make_folder
from .rest import Rest

__all__ = ["Found", "Link"]

T = TypeVar("T")
R = TypeVar("R")

PIECE = 8 << 20
"""Bytes that one request carries at most. What is larger travels in several at once, so that a request that
is cut off costs no more than a piece. Each has 30 s to itself, unless `client_options` say otherwise."""

_AT_ONCE = 8  # requests of one call; not measured against a real network
_PAGE = 1000  # objects in one answer; S3 gives no more
_BATCH = 256  # objects that one request removes at Azure, which takes no more
_RETRIES = {
    "max_retries": 3,
    "backoff": {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=2), "base": 2},
    "retry_timeout": timedelta(seconds=5),
}
_REPLACED = "InvalidBlockList"  # Azure's name for it: blocks of an upload that have gone
_SAID = re.compile(r"(.*?)<\?xml.*?<Code>(.*?)</Code>\s*<Message>(.*?)</Message>", re.DOTALL)


class Found(NamedTuple):
    """An object in a list."""

    name: str
    nbytes: int
    modified: float
    """Seconds since the epoch, by the server's clock."""


class Link:
    """Objects below one URL. Safe to use from several threads. Making it touches nothing.

    Parameters
    ----------
    url
        ``s3://bucket/prefix``, ``gs://``, ``az://`` or ``file:///folder``.
    config
        What obstore's ``config=`` takes, beside what it finds in the environment.
    client_options
        What obstore's ``client_options=`` takes.
    trusted
        ``file:`` only: use a folder of another user, or one that everybody may write to.
    clock
        Seconds; never set back.

    Raises
    ------
    InvalidOption
        The URL or the configuration cannot be right.
    MissingDependency
        obstore is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        config: Mapping[str, str],
        client_options: Mapping[str, str | bool],
        trusted: bool = False,
        clock: Clock = time.monotonic,
    ) -> None:
        self._url = url
        self._obstore = require("obstore", purpose=f"the location {url!r}", extra="s3")
        stores = require("obstore.store", purpose=f"the location {url!r}", extra="s3")
        self._errors = require("obstore.exceptions", purpose=f"the location {url!r}", extra="s3")
        self._clock = clock
        self._rest = Rest(clock)
        self._threads = HelperThreads()
        self._threads.limit(_AT_ONCE)
        self._open: Callable[[bool], Any]  # Any: a store of obstore; or None, if there is nothing to read yet
        self._scheme = urlsplit(url).scheme
        if self._scheme == "file":
            self._open = _Folder(stores, unquote(urlsplit(url).path), trusted).open
        else:
            opened = self._connected(stores, config, client_options)
            self._open = lambda _: opened

    def get(self, name: str) -> bytes | None:
        """The content of a small object, ``None`` if it is not there, or may not be read.

        A server that does not let its objects be listed says "forbidden" where nothing is.
        """
        try:
            return self._ask(lambda store: bytes(self._obstore.get(store, name).bytes()))
        except _Forbidden:
            return None

    def read(self, name: str, nbytes: int) -> "Buffer | None":
        """The content of a large object in fresh, writable memory; ``None`` if it has not that length.

        In pieces of 8 MiB, eight at once. Not to be called by the threads of `map`.
        """
        view = memoryview(fresh_memory(nbytes))

        def piece(start: int) -> bool:
            stop = min(start + PIECE, nbytes)
            found = self._ask(
                lambda store: memoryview(self._obstore.get_range(store, name, start=start, end=stop))
            )
            if found is None or found.nbytes != stop - start:
                return False
            view[start:stop] = found
            return True

        starts = range(0, nbytes, PIECE)
        try:
            whole = all(self.map(piece, starts) if len(starts) > 1 else map(piece, starts))
        except _Forbidden:
            return None
        return view if whole else None

    def put(self, name: str, content: "Buffer") -> None:
        """Write an object whole, in place of one of its name.

        Of several who write it at once any may have the last word.
        """

        def write(store: Any) -> bool:  # Any: see `_open`
            try:
                self._obstore.put(store, name, content, chunk_size=PIECE, max_concurrency=_AT_ONCE)
            except self._errors.GenericError as exc:
                # Another's upload of the same name ended and took the pieces of ours with it: ours counts as
                # written before, and replaced. Or it is our own end, sent again since the answer got lost.
                if _REPLACED not in str(exc):
                    raise
            return True

        self._write(write)

    def create(self, name: str, content: bytes) -> bool:
        """Write a small object, unless there is one of its name already; whether there was none.

        Of several who try at once one succeeds. If the answer got lost the request is sent again, so that
        ``False`` may speak of the caller's own object.
        """

        def created(store: Any) -> bool:
            try:
                self._obstore.put(store, name, content, mode="create")
            except (self._errors.AlreadyExistsError, FileExistsError):
                return False
            return True

        return bool(self._write(created))

    def delete(self, names: Sequence[str]) -> None:
        """Remove objects; those that are not there count as removed."""
        size = _BATCH if self._scheme == "az" else _PAGE
        for start in range(0, len(names), size):
            self._ask(partial(self._delete, list(names[start : start + size])))

    def pages(self, folder: str) -> Iterator[list[Found]]:
        """All objects below a folder, in no order, as the server gives them: at most 1,000 at once."""
        pages = self._ask(lambda store: self._obstore.list(store, folder, chunk_size=_PAGE))
        while pages is not None:
            page = self._ask(lambda _: next(pages, None))
            if page is None:
                return
            yield [Found(at["path"], at["size"], at["last_modified"].timestamp()) for at in page]

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """``[function(item) for item in items]``, several at once. Not to be called by `function`."""
        return self._threads.map(function, items)

    def _delete(self, names: list[str], store: Any) -> None:  # Any: see `_open`
        try:
            self._obstore.delete(store, names)
        except FileNotFoundError:
            if self._scheme == "az":  # the others of its batch are removed all the same
                return
            # In a folder and at Google's the first that is missing ends it, and any may be left. One by one,
            # since `map` may have called us; only others who remove the same at once make us come here.
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    self._obstore.delete(store, name)

    def _connected(
        self, stores: Any, config: Mapping[str, str], client_options: Mapping[str, str | bool]
    ) -> Any:  # Any: see `_open`
        try:
            return stores.from_url(
                self._url,
                config=dict(config),
                # None of our own: any that are given make obstore forget those in the environment.
                client_options=dict(client_options) or None,
                retry_config=_RETRIES,
            )
        except BaseException as exc:
            # Some mistakes end in what Rust calls a panic, which is no `Exception` and has no name to import.
            panic = type(exc).__name__ == "PanicException"
            if not panic and not isinstance(exc, self._errors.BaseError | ValueError | TypeError):
                raise
            raise InvalidOption(f"location={self._url!r}: {_first_line(exc)}") from exc

    def _write(self, request: Callable[[Any], T]) -> T:
        """As `_ask`; that nothing is there is an error too."""
        answer = self._ask(request, writing=True)
        if answer is None:
            raise self._failed(errno.ENOENT, FileNotFoundError("no such bucket or folder"))
        return answer

    def _ask(self, request: Callable[[Any], T], *, writing: bool = False) -> T | None:
        """The answer to a request, ``None`` if there is no such object.

        Raises
        ------
        StoreUnavailable
            There was no answer, or none is to be asked for now.
        """
        self._rest.check()
        RUNTIME.enter()
        begun = self._clock()
        try:
            store = self._open(writing)
            answer = None if store is None else self._answer(request, store)
        except FileNotFoundError:
            answer = None
        except StoreUnavailable:
            raise
        except (self._errors.PermissionDeniedError, self._errors.UnauthenticatedError) as exc:
            failure = self._failed(errno.EACCES, exc)
            raise (failure if writing else _Forbidden(failure.errno, failure.strerror)) from exc
        except (self._errors.BaseError, OSError, ValueError) as exc:
            raise self._failed(errno.EIO, exc, lasted=self._clock() - begun) from exc
        self._rest.end()
        return answer

    def _answer(self, request: Callable[[Any], T], store: Any) -> T:  # Any: see `_open`
        """What a request gives. An interrupt (Ctrl-C) does not wait for it: obstore looks for no signals."""
        return request(store) if self._scheme == "file" else interruptibly(partial(request, store))

    def _failed(self, code: int, exc: Exception, *, lasted: float = 0.0) -> StoreUnavailable:
        failure = StoreUnavailable(code, f"the cache in {self._url!r} cannot be reached: {_first_line(exc)}")
        if code != errno.EACCES:  # a refusal came at once, and may hold for this object alone
            self._rest.begin(failure, lasted=lasted)
        return failure


class _Forbidden(StoreUnavailable):
    """The server refused to show an object."""


class _Folder:
    """A folder that is made when it is first written to."""

    def __init__(self, stores: Any, location: str, trusted: bool) -> None:  # Any: obstore is optional
        self._stores = stores
        self._location = location
        self._trusted = trusted
        self._opened: Any = None

    def open(self, writing: bool) -> Any:
        """The store of obstore; ``None`` if there is no folder yet and none is to be made."""
        if self._opened is None:
            if not self._trusted:
                check_trust(self._location)
            if writing:
                make_folder(self._location, ())
            elif not os.path.isdir(self._location):
                return None
            self._opened = self._stores.LocalStore(prefix=self._location)
        return self._opened


class _Runtime:
    """The threads of obstore: they belong to the process that asked first, and no fork has them."""

    def __init__(self) -> None:
        self._pid = 0

    def enter(self) -> None:
        """Raises `StoreUnavailable` in a child that was forked after its parent had asked."""
        pid = os.getpid()
        if self._pid not in (0, pid):
            raise StoreUnavailable(
                errno.ENOTSUP,
                f"this process was forked from process {self._pid}, which had used an object store by then, "
                "and so it cannot: start it by 'spawn' or 'forkserver', or fork earlier",
            )
        self._pid = pid


RUNTIME = _Runtime()
"""That of this process."""


def _first_line(exc: BaseException) -> str:
    """What went wrong. Of an answer in XML its code and its message, which cutting it short would lose."""
    text = str(exc).partition("\n\nDebug source")[0]
    said = _SAID.match(text)
    if said is not None:
        before, code, message = (" ".join(part.split()) for part in said.groups())
        return f"{before[:200]} {code}: {message[:200]}"
    return " ".join(text.split())[:300] or type(exc).__name__
