"""What is done around each task of a call: layers where the tasks run, and who hears what those say."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, NamedTuple

from ..protocols import Run
from .cancelling import Switch
from .driver import Listener
from .task import Layer, enter

__all__ = ["Around", "Feature", "entered", "listener"]


class Feature(NamedTuple):
    """One thing that a call does around its tasks."""

    layer: Layer | None = None
    """Goes to the workers."""

    hears: Mapping[type, Callable[[int, Any], None]] = MappingProxyType({})  # Any: a value of that type
    """By the type of what is told: who takes the index and what was said, in the driving thread."""


Around = tuple[Feature, ...]
"""All of a call, the outermost first."""


def listener(around: Around) -> Listener | None:
    """Who hears all that the layers say; ``None`` if nobody listens."""
    ears = {kind: hear for feature in around for kind, hear in feature.hears.items()}
    if not ears:
        return None

    def hear(index: int, what: object) -> None:
        ears[type(what)](index, what)

    return hear


@contextmanager
def entered(around: Around, switch: Switch) -> Iterator[Run]:
    """What runs tasks in this thread, inside of all layers. What a listener raises gives up the call."""
    layers = [feature.layer for feature in around if feature.layer is not None]
    hear = listener(around) or _unheard

    def tell(index: int, what: object) -> None:
        try:
            hear(index, what)
        except BaseException as error:
            switch.fail(error)  # the task that is running may swallow it
            raise

    run = enter(layers, tell)
    try:
        yield run
        if switch.error is not None:
            raise switch.error
    finally:
        switch.error = None  # its traceback would keep the tasks alive until the next call
        for layer in layers:
            layer.leave()


def _unheard(index: int, what: object) -> None:
    """Nobody listens."""
