"""The long form: ``LIGHTWORK_TORTURE=long`` repeats each test of the process pool, since races are rare.

Tests of other files have loops of their own that become longer.
"""

import os

import pytest

REPEATS = 20


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of ``test_processes_*`` again and again."""
    name = metafunc.module.__name__.rpartition(".")[2]
    if os.environ.get("LIGHTWORK_TORTURE") == "long" and name.startswith("test_processes_"):
        metafunc.fixturenames.append("repeat")
        metafunc.parametrize("repeat", range(REPEATS))
