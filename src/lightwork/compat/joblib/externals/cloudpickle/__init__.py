"""cloudpickle under the name it had in joblib until 1.5."""

from cloudpickle import *  # noqa: F403 - the package under another name
from cloudpickle import __version__

from . import cloudpickle
from .cloudpickle import CloudPickler, Pickler, dump, dumps, load, loads

__all__ = ["CloudPickler", "Pickler", "__version__", "cloudpickle", "dump", "dumps", "load", "loads"]
