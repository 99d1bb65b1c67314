"""The long form: ``LIGHTWORK_TORTURE=long`` repeats each test of the pool and of `Parallel`.

Races are rare. Tests that are marked ``once``, and those of other files, have loops of their own that
become longer.
"""

import os

import pytest

REPEATS = 50


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of ``test_processes_*`` and ``test_parallel_*`` again and again."""
    name = metafunc.module.__name__.rpartition(".")[2]
    if (
        os.environ.get("LIGHTWORK_TORTURE") == "long"
        and name.startswith(("test_processes_", "test_parallel_"))
        and metafunc.definition.get_closest_marker("once") is None
    ):
        metafunc.fixturenames.append("repeat")
        metafunc.parametrize("repeat", range(REPEATS))
