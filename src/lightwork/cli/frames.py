"""Tracebacks of users' code that a command has run, without the frames through which it did."""

from collections.abc import Callable
from typing import Any

__all__ = ["is_ours", "own_frames"]

# Any: tracebacks, or none.


def own_frames(exc: BaseException, is_outer: Callable[[Any], bool]) -> Any:
    """The traceback of an error from the first frame on that is not outer; the last frame at least."""
    frames = exc.__traceback__
    while frames is not None and frames.tb_next is not None and is_outer(frames):
        frames = frames.tb_next
    return frames


def is_ours(frame: Any) -> bool:
    """Whether a frame is lightwork's."""
    return str(frame.tb_frame.f_globals.get("__name__", "")).startswith("lightwork.")
