"""Records in an object store (S3, Google Cloud, Azure) or below a shared folder, one cache for many hosts.

``store`` is the face; ``link`` is the way to the server, ``rest`` the pause after it failed; ``leases``
settles between hosts who computes, ``holdings`` keeps alive what this process holds; ``layout`` (pure) says
what lies where.
"""

from .store import ObjectStore, open_objects

__all__ = ["ObjectStore", "open_objects"]
