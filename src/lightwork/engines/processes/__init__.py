"""Worker processes: one socket pair each, no shared queue, no shared lock. The parent's side.

===============  ====================================================================================
`engine`         the engine that `lightwork.protocols.Engine` asks for
`session`        one call's hold on its workers; `slots`: what each of them was sent
`pool`           the workers between calls; `link`: one of them; `launcher`: the template; `deaths`
`encoding`       batches as frames; `functions` and `publishing`: what travels once, not with each task
===============  ====================================================================================

The workers' side is `lightwork.engines.workers`.
"""

from .engine import ProcessEngine

__all__ = ["ProcessEngine"]
