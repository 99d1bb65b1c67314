"""As what shared objects count while the keys of one call are made: as what its tasks will be given.

Tasks in other processes are given the copy that `share` made, tasks in this one the object itself, which may
have changed since. A key that was made of the one must not lead to a result of the other.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["Given", "given"]

_GIVEN: ContextVar["Given | None"] = ContextVar("lightwork_given", default=None)


class Given:
    """What the tasks of one call are given in the place of handles, see `lightwork.parallel.sharing`.

    Parameters
    ----------
    copies
        Whether it is the copy of each shared object, or the object itself.

    Attributes
    ----------
    digests
        Of objects that were hashed, by the names of their handles: they must not change while the call runs,
        and thousands of tasks may have the same.
    """

    def __init__(self, *, copies: bool) -> None:
        self.copies = copies
        self.digests: dict[bytes, bytes] = {}

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Handles that are hashed in this block count as what tasks are given."""
        token = _GIVEN.set(self)
        try:
            yield
        finally:
            _GIVEN.reset(token)


def given() -> Given | None:
    """What the tasks are given whose keys are being made; ``None`` outside of any call."""
    return _GIVEN.get()
