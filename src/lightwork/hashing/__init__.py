"""Identity: one key for one value (`hash`), one key for one call (`calls`), a fingerprint for code."""

from .values import hash, register_hash

__all__ = ["hash", "register_hash"]
