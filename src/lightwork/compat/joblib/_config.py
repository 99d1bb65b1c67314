"""The settings of `parallel_config` that hold in this thread, and what is said where nothing was set."""

import threading
from collections.abc import Mapping
from typing import Any

from ._utils import _Sentinel

__all__ = ["_backend", "_get_config_param", "default_parallel_config"]

default_parallel_config: dict[str, Any] = {  # Any: each its own
    "backend": _Sentinel(default_value=None),
    "n_jobs": _Sentinel(default_value=None),
    "verbose": _Sentinel(default_value=0),
    "temp_folder": _Sentinel(default_value=None),
    "max_nbytes": _Sentinel(default_value="1M"),
    "mmap_mode": _Sentinel(default_value="r"),
    "prefer": _Sentinel(default_value=None),
    "require": _Sentinel(default_value=None),
}

_backend = threading.local()
"""Its `config` is a dictionary as above, where `parallel_config` was called."""


def _get_config_param(param: Any, context_config: Mapping[str, Any], key: str) -> Any:
    """The argument if it was given, else what the context has set, else the default."""
    if param is not default_parallel_config[key]:
        return param
    found = context_config[key]
    return found.default_value if isinstance(found, _Sentinel) else found
