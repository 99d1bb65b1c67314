"""References to results of cached functions: what `call_and_shelve` gives."""

import os
import pickle
from collections.abc import Mapping
from typing import Any

from ._store_backends import CallId, _store_backend_factory
from .logger import Logger

__all__ = ["MemorizedResult"]

# Any: results, stores and metadata are the user's.


class MemorizedResult(Logger):
    """A result that lies in a store. Small to send around.

    Parameters
    ----------
    location
        The folder of the store (where joblib appends its name, with that), or the store.
    call_id
        The id of the function and of its arguments.
    backend, mmap_mode
        As for `Memory`, if `location` is a folder.
    verbose
        From 2 on, loading is told.
    timestamp
        What the age that is told counts from.
    metadata
        What is known of the result, if it was read already.
    """

    def __init__(
        self,
        location: Any,
        call_id: CallId,
        backend: str = "local",
        mmap_mode: Any = None,
        verbose: int = 0,
        timestamp: float | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        Logger.__init__(self)
        self._call_id = call_id
        self.store_backend = _store_backend_factory(
            backend, location, verbose=verbose, backend_options={"mmap_mode": mmap_mode}
        )
        self.mmap_mode = mmap_mode
        self.metadata = self.store_backend.get_metadata(call_id) if metadata is None else metadata
        self.duration = self.metadata.get("duration")
        self.verbose = verbose
        self.timestamp = timestamp

    @property
    def func(self) -> str:
        """The id of the function."""
        return self._call_id[0]

    @property
    def func_id(self) -> str:
        """The id of the function."""
        return self._call_id[0]

    @property
    def args_id(self) -> str:
        """The digest of the arguments."""
        return self._call_id[1]

    def get(self) -> Any:
        """The result. `KeyError` if it is gone or damaged."""
        try:
            return self.store_backend.load_item(
                self._call_id, timestamp=self.timestamp, metadata=self.metadata, verbose=self.verbose
            )
        except (ValueError, EOFError, pickle.UnpicklingError) as exc:
            folder = os.path.join(self.store_backend.location, *self._call_id)
            raise KeyError(
                f"Error while trying to load a MemorizedResult's value. "
                f"It seems that this folder is corrupted : {folder}"
            ) from exc

    def clear(self) -> None:
        """Remove the result from the store."""
        self.store_backend.clear_item(self._call_id)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(location="{self.store_backend.location}", '
            f'func="{self.func}", args_id="{self.args_id}")'
        )

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"timestamp": None}
