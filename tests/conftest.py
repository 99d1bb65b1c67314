"""What holds for all tests."""

import copyreg

import pytest


@pytest.fixture(autouse=True)
def plain_exceptions() -> None:
    """Exceptions are pickled as Python does it.

    Dask, once it is imported, has those of the whole process pickled by tblib, which loses what some of them
    hold (the code of a `SystemExit`). That is for the tests of Dask alone, in the workers, where it matters.
    """
    for kind, reduce in list(copyreg.dispatch_table.items()):
        if getattr(reduce, "__module__", "").partition(".")[0] == "tblib":
            del copyreg.dispatch_table[kind]
