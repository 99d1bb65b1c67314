"""``cloudpickle.cloudpickle`` under the name it had in joblib until 1.5."""

from cloudpickle.cloudpickle import *  # noqa: F403 - the module under another name
from cloudpickle.cloudpickle import Pickler, dump, dumps, load, loads

CloudPickler = Pickler

__all__ = ["CloudPickler", "Pickler", "dump", "dumps", "load", "loads"]
