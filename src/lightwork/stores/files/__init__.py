"""One file per record, for file systems whose locks and memory maps cannot be trusted.

``store`` is the face, ``layout`` (pure) says how a record lies in its file.
"""

from .store import FileStore

__all__ = ["FileStore"]
