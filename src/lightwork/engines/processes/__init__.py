"""Worker processes: one socket pair each, no shared queue, no shared lock. The parent's side.

===============  ====================================================================================
`engine`         the engine that `lightwork.protocols.Engine` asks for
`session`        one call's hold on its workers; `slots`: what each of them was sent
`pool`           the workers between calls; `link`: one of them; `launcher`: the template; `deaths`
`encoding`       batches as frames; `functions` and `publishing`: what travels once, not with each task;
                 `posting`: what goes to which worker, and when
===============  ====================================================================================

All but the engine is imported on first use: the template starts first, and they are loaded while it starts.
The workers' side is `lightwork.engines.workers`.
"""

from typing import TYPE_CHECKING

from ...system.optional import on_first_use

if TYPE_CHECKING:
    from . import launcher, options, pool, session
    from .engine import ProcessEngine

__all__ = ["ProcessEngine", "launcher", "options", "pool", "session"]

__getattr__ = on_first_use(__name__, parts=__all__, names={"ProcessEngine": "engine"})
