"""The ray of this process: the one that the caller has, or one that was started or joined for him."""

import contextlib
import math
import os
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ...errors import EngineError, InvalidOption
from ...system.cpu import workers_for
from ...system.forks import after_fork_in_child
from ...system.optional import loaded, on_demand

__all__ = ["INSTANCE", "await_end", "lacking", "room"]

_PATIENCE: Final = 10.0
"""Seconds in which a cluster has to answer, and ray to let go of one."""

_STEP: Final = 0.01
"""Seconds between two looks whether a ray that is being shut down is gone."""


class _Instance:
    """Ray keeps one connection per process, so this is one. Safe to use from several threads.

    Rules: what was there before is the caller's and is left alone. What was started here serves all calls to
    come, until `close` or the exit of the process. In a forked child there is none, and none can be had.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._is_ours = False
        self._address: str | None = None  # what ours was joined at
        self._is_copy = False
        after_fork_in_child(self._forget)

    def is_there(self, ray: Any) -> bool:  # Any: the module
        """Whether this process has a ray to use."""
        return not self._is_copy and bool(ray.is_initialized())

    def is_local(self, ray: Any) -> bool:  # Any: as above
        """Whether it is one that was started here, on this machine alone."""
        return self._is_ours and self._address is None and self.is_there(ray)

    def ensure(self, ray: Any, address: str | None, *, cpus: float) -> None:  # Any: as above
        """Join the cluster at an address, or start one on this machine with at least so many CPUs.

        Raises
        ------
        EngineError
            That did not work, or this process was forked from one that has a ray.
        InvalidOption
            This process has another one.
        """
        with self._lock:
            if self._is_copy:
                raise EngineError(
                    "backend='ray': this process was forked from one that uses ray, and cannot use it; "
                    "start it by spawn"
                )
            if ray.is_initialized():
                self._check(ray, address)
                return
            where = address or os.environ.get("RAY_ADDRESS")
            own: dict[str, Any] = {}
            if where is None or where == "local":
                own = {"num_cpus": max(workers_for(-1), math.ceil(cpus)), "include_dashboard": False}
            else:
                _knock(where)
            try:
                ray.init(address=address, logging_level="WARNING", **own)
            except Exception as error:
                if ray.is_initialized():  # half
                    ray.shutdown()
                what = f"no cluster of ray can be joined at {where!r}" if where else "ray cannot be started"
                raise EngineError(f"backend='ray': {what} ({type(error).__name__}: {error})") from error
            self._is_ours, self._address = True, where

    @contextlib.contextmanager
    def held(self, ray: Any) -> Iterator[None]:  # Any: as above
        """Keep what is there from `close` meanwhile; ray itself would start another one for who needs it.

        Raises
        ------
        EngineError
            There is none any more.
        """
        with self._lock:
            if not self.is_there(ray):
                raise EngineError("backend='ray': ray was shut down while a call was going on")
            yield

    def close(self) -> None:
        """End what was started, leave what was joined here. Safe to call twice."""
        ray = loaded("ray")
        with self._lock:
            is_ours, self._is_ours = self._is_ours, False
            if is_ours and ray is not None and self.is_there(ray):
                ray.shutdown()

    def _check(self, ray: Any, address: str | None) -> None:
        if address is None or address in ("auto", "local", self._address):
            return
        here = str(ray.get_runtime_context().gcs_address)
        host, port = _parted(address)
        if (host not in ("127.0.0.1", "localhost") or port != _parted(here)[1]) and address != here:
            raise InvalidOption(
                f"address={address!r}: this process is connected to another ray, at {here}: "
                "leave address out, or call ray.shutdown() before"
            )

    def _forget(self) -> None:
        self._lock = threading.RLock()
        self._is_ours = False
        ray = loaded("ray")
        self._is_copy = self._is_copy or (ray is not None and bool(ray.is_initialized()))


INSTANCE = _Instance()


def _knock(address: str) -> None:
    """See that somebody listens at an address, if it has a port: ray itself would try for minutes.

    Raises
    ------
    EngineError
        Nobody does.
    """
    host, port = _parted(address)
    if port is None:
        return
    try:
        on_demand("socket").create_connection((host, port), timeout=_PATIENCE).close()
    except OSError as error:
        raise EngineError(f"backend='ray': nobody answers at {address!r}: {error}") from error


def _parted(address: str) -> tuple[str, int | None]:
    host, _, port = address.rpartition("://")[2].rpartition(":")
    return host, int(port) if port.isdecimal() else None


def await_end(ray: Any, worker: object) -> None:  # Any: the module
    """Once there is no ray, wait until all of it is gone, if the worker of its context is known.

    In between, for some tenths of a second, a process that lets go of a reference to an object is ended by
    ray, with status 1 and without a word.
    """
    deadline = time.monotonic() + _PATIENCE
    while hasattr(worker, "core_worker") and not ray.is_initialized() and time.monotonic() < deadline:
        time.sleep(_STEP)


def room(total: Mapping[str, float], demand: Mapping[str, float]) -> int:
    """How many times a demand fits into all that a cluster has. No demand at all counts as one of a CPU."""
    wanted = {name: amount for name, amount in demand.items() if amount > 0} or {"CPU": 1.0}
    return int(min(total.get(name, 0.0) / amount for name, amount in wanted.items()))


def lacking(total: Mapping[str, float], demand: Mapping[str, float]) -> str:
    """What a demand needs more of than all that a cluster has, in words; empty if nothing."""
    lacks = {name: amount for name, amount in demand.items() if amount > total.get(name, 0.0)}
    return ", ".join(f"{name}: {amount:g} of {total.get(name, 0.0):g}" for name, amount in lacks.items())
