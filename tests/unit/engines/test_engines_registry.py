"""Names to engines: one of each per process."""

import os

import pytest

from lightwork.engines.registry import ENGINES, Engines, engine
from lightwork.engines.sequential import SequentialEngine
from lightwork.errors import InvalidOption


def test_an_engine_is_made_once() -> None:
    """Asking twice, also by an alias, gives the same engine."""
    assert engine("threads") is engine("threads") is engine("threading")
    assert engine("processes") is engine("loky") is engine("multiprocessing")


def test_names_are_those_of_the_engines() -> None:
    """What is asked for by name has that name."""
    assert [engine(name).name for name in ("processes", "threads", "sequential")] == [
        "processes",
        "threads",
        "sequential",
    ]


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    """The error lists all names."""
    engines = Engines()
    engines.register("mine", SequentialEngine, make_default=False)
    with pytest.raises(
        InvalidOption, match=r"loky, mine, multiprocessing, processes,.*, threading, threads,"
    ):
        engines.get("nowhere")


def test_a_registered_engine_is_made_once_and_again_when_it_is_replaced() -> None:
    """Whoever asks twice gets the same engine, until the name means another one."""
    engines = Engines()
    engines.register("mine", SequentialEngine, make_default=False)
    first = engines.get("mine")
    assert first is engines.get("mine")
    assert engines.default().name == "processes"
    engines.register("mine", SequentialEngine, make_default=True)
    assert engines.get("mine") is not first
    assert engines.default() is engines.get("mine")


def test_shutdown_leaves_the_engines_usable() -> None:
    """After a shutdown the same engine can be asked for again."""
    engines = Engines()
    made = engines.get("threads")
    engines.shutdown()
    assert engines.get("threads") is made


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_has_engines_of_its_own() -> None:
    """A child never uses the engines of its parent."""
    parent = ENGINES.get("threads")
    pid = os.fork()
    if pid == 0:
        os._exit(0 if ENGINES.get("threads") is not parent else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
