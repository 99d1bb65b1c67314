"""References to kept results, for results that are too large to hold or to send around."""

from typing import Any, Generic, TypeVar, cast

from .. import parcel
from ..errors import EntryMissing
from ..protocols import Store
from .facts import Metadata, read_facts
from .keeper import forget_hot

__all__ = ["AnyResult", "MemorizedResult", "NotMemorizedResult"]

R = TypeVar("R")


class AnyResult:
    """No function returns one: what is typed for it is for functions whose result is ``Any``."""


class MemorizedResult(Generic[R]):
    """A reference to one kept result. Small and picklable, if its store is.

    Attributes
    ----------
    func_id
        The function, ``module:qualname``.
    """

    def __init__(self, store: Store, key: bytes, func_id: str) -> None:
        self._store = store
        self._key = key
        self.func_id = func_id

    @property
    def func(self) -> str:
        """The same as `func_id`, as joblib has it."""
        return self.func_id

    @property
    def args_id(self) -> str:
        """The key of the call, as hexadecimal text."""
        return self._key.hex()

    @property
    def metadata(self) -> Metadata:
        """``duration``, ``time`` and the call as text; nothing if the result is gone."""
        record = self._store.get(self._key)
        return {} if record is None else read_facts(record.facts)

    @property
    def duration(self) -> float | None:
        """How long the call took (seconds)."""
        return self.metadata.get("duration")

    def get(self) -> R:
        """The result, read now.

        Raises
        ------
        EntryMissing
            It was cleared, evicted or damaged since.
        """
        record = self._store.get(self._key)
        if record is None:
            raise EntryMissing(
                f"Non-existing item (may have been cleared): the result of {self.func_id} with the key "
                f"{self.args_id} is not in {self._store!r}; call the function again"
            )
        return cast(R, parcel.parcels.join(record.skeleton, record.buffers))

    def __cache_key__(self) -> R:
        """As an argument it counts by its value, as that is kept now: another value may come under its key.

        Its class counts too, since a function may tell a reference from a value. Large arrays of the value
        are mapped, and known by the digest that names their blob, so they are not read. Raises as `get`.
        """
        return self.get()

    def clear(self) -> None:
        """Remove the result from the store."""
        self._store.drop([self._key])
        forget_hot(self._key)

    def __repr__(self) -> str:
        return f"MemorizedResult(store={self._store!r}, func={self.func_id!r}, args_id={self.args_id!r})"


class NotMemorizedResult(Generic[R]):
    """Stands for a reference where nothing is, or could be, kept: it holds the value itself."""

    def __init__(self, value: R) -> None:
        self._held: tuple[R] | None = (value,)

    @property
    def valid(self) -> bool:
        """Whether the value is still held."""
        return self._held is not None

    @property
    def value(self) -> R | None:
        """The value, or ``None`` after `clear`."""
        return self._held[0] if self._held else None

    def get(self) -> R:
        """The value. Raises `EntryMissing` after `clear`."""
        if self._held is None:
            raise EntryMissing("No value stored.")
        return self._held[0]

    def clear(self) -> None:
        """Let go of the value."""
        self._held = None

    def __repr__(self) -> str:
        held: Any = type(self._held[0]).__name__ if self._held else None
        return "NotMemorizedResult with no value" if held is None else f"NotMemorizedResult of type {held}"
