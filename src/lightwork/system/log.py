"""The logger ``"lightwork"``, through which all notices of progress and caching go.

`logging` is loaded when a record may be wanted, not before: it takes as long to import as all of `Memory`.
"""

from .optional import loaded, on_demand

__all__ = ["debug", "info", "warning"]


def debug(message: str, *args: object) -> None:
    """A record of level DEBUG. As `info`, without `logging` nobody can have asked for it."""
    if loaded("logging") is not None:
        _log("DEBUG", message, args)


def info(message: str, *args: object) -> None:
    """A record of level INFO. Without `logging` nobody can have asked for that level."""
    if loaded("logging") is not None:
        _log("INFO", message, args)


def warning(message: str, *args: object) -> None:
    """A record of level WARNING, which is shown by default."""
    _log("WARNING", message, args)


def _log(level: str, message: str, args: tuple[object, ...]) -> None:
    logging = on_demand("logging")
    # The record names who wrote it: two calls further up.
    logging.getLogger("lightwork").log(getattr(logging, level), message, *args, stacklevel=3)
