"""What there is to know of this machine. Everything here is looked up or measured; nothing is judged."""

import errno
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

from ...hashing import hash
from ...parallel import Parallel, delayed
from ...stores.folder import check_trust
from ...system.cpu import cgroup_limit, cpu_count, kernel_lines, physical_cores
from ...system.filesystems import file_system, is_local
from ...system.optional import installed

__all__ = ["Folder", "Measured", "Speeds", "measure"]

_LIMITS = (
    "LIGHTWORK_MAX_CPU_COUNT",
    "LOKY_MAX_CPU_COUNT",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
_PACKAGES = ("numpy", "pyarrow", "cloudpickle", "cramjam", "rich", "threadpoolctl")
_SAMPLE = 64 << 20
_CGROUP = "/sys/fs/cgroup"


class Folder(NamedTuple):
    """A place on a disk."""

    path: str
    """The folder, or the nearest one above it that exists."""

    exists: bool
    file_system: str | None
    is_local: bool
    free: int
    """Bytes that this user may still write."""

    inodes: int
    """Files that may still be made; ``-1`` if the file system does not count them."""

    writable: bool
    distrust: str
    """Why a cache in it would not be used; empty if it would."""


class Speeds(NamedTuple):
    """What was measured; ``None`` for what could not be, or was not asked for."""

    first_result: float | None = None
    """Seconds until two new worker processes have answered, ..."""

    next_result: float | None = None
    """... and until they have answered again."""

    worker_error: str = ""
    hashing: float | None = None
    """Bytes per second of `lightwork.hash`, and of a file that is written with fsync, and read again."""

    writing: float | None = None
    reading: float | None = None
    disk_error: str = ""


class Measured(NamedTuple):
    """All that is known."""

    python: str
    platform: str
    packages: Mapping[str, str | None]
    logical: int
    physical: int | None
    affinity: int
    quota: int | None
    """Cores that the control group allows."""

    usable: int
    environment: Mapping[str, str]
    memory: int | None
    """Bytes of the machine, those available now, and the limit of the control group."""

    available: int | None
    memory_limit: int | None
    blas: Mapping[str, int] | None
    """Threads by library; ``None`` without threadpoolctl."""

    open_files: int | None
    """How many a process may have open."""

    shared_memory: tuple[int, int] | None
    """Size and free bytes of ``/dev/shm``."""

    temporary: Folder
    cache: Folder
    speeds: Speeds


def measure(path: str, *, quick: bool) -> Measured:
    """Look at this machine, and at the place `path` of a cache, which is not made.

    Raises
    ------
    InvalidOption
        A variable that limits cores is no number.
    """
    usable = cpu_count()
    cache = _folder(path)
    logical = os.cpu_count() or 1
    groups = "\n".join(kernel_lines("/proc/self/cgroup"))
    return Measured(
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
        packages={name: _version(name) for name in _PACKAGES},
        logical=logical,
        physical=physical_cores(),
        affinity=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else logical,
        quota=cgroup_limit(_CGROUP, groups),
        usable=usable,
        environment={name: os.environ[name] for name in _LIMITS if name in os.environ},
        memory=_memory("MemTotal"),
        available=_memory("MemAvailable"),
        memory_limit=_memory_limit(),
        blas=_blas(),
        open_files=_open_files(),
        shared_memory=_shared_memory(),
        temporary=_folder(tempfile.gettempdir()),
        cache=cache,
        speeds=Speeds() if quick else _speeds(cache),
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _memory(name: str) -> int | None:
    for line in kernel_lines("/proc/meminfo"):
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) << 10
    return None


def _memory_limit() -> int | None:
    for path in (f"{_CGROUP}/memory.max", f"{_CGROUP}/memory/memory.limit_in_bytes"):
        words = " ".join(kernel_lines(path)).split()
        if words and words[0].isdecimal() and int(words[0]) < 1 << 60:  # what has no limit says so, or 2^63
            return int(words[0])
    return None


def _blas() -> dict[str, int] | None:
    control: Any = installed("threadpoolctl")  # Any: of a library without types
    if control is None:
        return None
    installed("numpy")  # so that there is something to see
    found = {}
    for library in control.threadpool_info():
        found[str(library.get("internal_api") or library.get("user_api"))] = int(library["num_threads"])
    return found


def _open_files() -> int | None:
    resource: Any = installed("resource")  # Any: not on all systems
    return None if resource is None else int(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _shared_memory() -> tuple[int, int] | None:
    try:
        usage = shutil.disk_usage("/dev/shm")
    except OSError:
        return None
    return usage.total, usage.free


def _folder(path: str) -> Folder:
    wanted = os.path.abspath(os.path.expanduser(path))
    found = wanted
    while not os.path.isdir(found) and os.path.dirname(found) != found:
        found = os.path.dirname(found)
    status = os.statvfs(found) if hasattr(os, "statvfs") else None
    try:
        check_trust(wanted)
        distrust = ""
    except OSError as exc:
        distrust = exc.strerror or str(exc)
    return Folder(
        path=found,
        exists=found == wanted,
        file_system=file_system(found),
        is_local=is_local(found),
        free=shutil.disk_usage(found).free,
        inodes=status.f_favail if status is not None and status.f_files else -1,
        writable=os.access(found, os.W_OK | os.X_OK) and not (wanted != found and os.path.lexists(wanted)),
        distrust=distrust,
    )


def _speeds(cache: Folder) -> Speeds:
    sample = os.urandom(1 << 20) * (_SAMPLE >> 20)
    hashing = _rate(lambda: hash(sample))
    writing, reading, disk_error = _disk(cache.path, sample)
    first, following, worker_error = _workers()
    return Speeds(first, following, worker_error, hashing, writing, reading, disk_error)


def _rate(act: Any) -> float:  # Any: a function without arguments
    act()  # the first one warms up
    begin = time.perf_counter()
    act()
    return _SAMPLE / (time.perf_counter() - begin)


def _disk(folder: str, sample: bytes) -> tuple[float | None, float | None, str]:
    """Bytes per second, written with fsync and read again, or why they cannot be known."""
    if shutil.disk_usage(folder).free < 2 * _SAMPLE:
        return None, None, os.strerror(errno.ENOSPC)
    try:
        with tempfile.TemporaryFile(dir=folder, prefix=".lightwork-doctor-", buffering=0) as file:
            begin = time.perf_counter()
            file.write(sample)
            os.fsync(file.fileno())
            written = time.perf_counter()
            if hasattr(os, "posix_fadvise"):  # what is clean leaves the memory of the kernel
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            file.seek(0)
            started = time.perf_counter()
            while file.read(1 << 20):
                pass
            ended = time.perf_counter()
    except OSError as exc:
        return None, None, exc.strerror or str(exc)
    return _SAMPLE / (written - begin), _SAMPLE / (ended - started), ""


def _workers() -> tuple[float | None, float | None, str]:
    """Seconds of a first and of a second call of two tasks, or why there are no workers."""
    times = []
    try:
        parallel = Parallel(n_jobs=2, timeout=30)
        for _ in range(2):
            begin = time.perf_counter()
            parallel(delayed(abs)(number) for number in range(2))
            times.append(time.perf_counter() - begin)
    except Exception as exc:  # noqa: BLE001 - whatever keeps workers from starting is the finding
        return None, None, f"{type(exc).__name__}: {exc}"
    return times[0], times[1], ""
