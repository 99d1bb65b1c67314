"""Worker processes where lightwork's own pool cannot be had, which needs Linux: on macOS and the like.

=========  ==========================================================================================
`engine`   the engine that `lightwork.protocols.Engine` asks for
`crew`     the workers between calls
`worker`   the parent's end of one of them
`serve`    the worker's own side, and the frames on its pipes
=========  ==========================================================================================

An interpreter of its own for each worker, a pair of pipes, one batch at a time: nothing that a POSIX system
does not have. Batches are those of `lightwork.engines.futures`.
"""

from .engine import SpawnedEngine

__all__ = ["SpawnedEngine"]
