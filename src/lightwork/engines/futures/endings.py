"""What it means that workers of somebody else did not run what they were given."""

from ...errors import EngineError
from ...system.optional import on_demand

__all__ = ["explained"]


def explained(name: str, error: BaseException) -> EngineError:
    """What it means that an executor could not run a function of ours."""
    futures = on_demand("concurrent.futures")
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, futures.BrokenExecutor):
        return EngineError(
            f"the {name} given as backend= is broken, since one of its workers ended abruptly ({text}). It "
            "runs nothing any more: make a new one. "
            'With backend="processes" a worker that dies costs its task alone'
        )
    if isinstance(error, futures.CancelledError):
        return EngineError(
            f"tasks on the {name} given as backend= were cancelled: was it shut down meanwhile?"
        )
    if isinstance(error, ImportError):
        return EngineError(f"the workers of the {name} given as backend= cannot import lightwork ({text})")
    return EngineError(f"the {name} given as backend= could not run a batch of tasks ({text})")
