"""How users are told: the logger ``"lightwork"``, for notices of progress and caching, and warnings.

`logging` is loaded when a record may be wanted, not before: it takes as long to import as all of `Memory`.
"""

import sys
import warnings

from .optional import loaded

__all__ = ["debug", "info", "warn_user", "warning"]

_PACKAGE = __name__.partition(".")[0]


def debug(message: str, *args: object) -> None:
    """A record of level DEBUG."""
    _log("DEBUG", message, args)


def info(message: str, *args: object) -> None:
    """A record of level INFO."""
    _log("INFO", message, args)


def warning(message: str, *args: object) -> None:
    """A record of level WARNING. As any other it is for handlers: without one nothing is shown."""
    _log("WARNING", message, args)


def _log(level: str, message: str, args: tuple[object, ...]) -> None:
    logging = loaded("logging")
    if logging is None:  # nobody can have asked for records
        return
    logger = logging.getLogger("lightwork")
    # Without a handler Python would print warnings. To add a null handler would be to configure logging.
    if logger.hasHandlers():
        # The record names who wrote it: two calls further up.
        logger.log(getattr(logging, level), message, *args, stacklevel=3)


def warn_user(message: str, category: type[Warning]) -> None:
    """Give a warning at the innermost line of this thread that is outside lightwork."""
    warnings.warn(message, category, stacklevel=_level_of_user())


def _level_of_user() -> int:
    """The `stacklevel` at which `warnings.warn` of our caller points to code outside lightwork."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    return level


def _is_ours(name: str) -> bool:
    return name == _PACKAGE or name.startswith(f"{_PACKAGE}.")
