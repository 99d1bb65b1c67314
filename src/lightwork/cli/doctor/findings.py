"""What to think of a machine, and what to do. Pure: figures in, sentences out."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from ...system.units import duration, size
from .measuring import Folder, Measured

__all__ = ["FINE", "PROBLEM", "WARNING", "Finding", "judge"]

FINE: Final = "ok"
WARNING: Final = "warning"
PROBLEM: Final = "problem"

_GB = 1 << 30
_LITTLE_ROOM = 1 * _GB
_SMALL_SHM = 128 << 20  # containers get 64 MB by default
_FEW_FILES = 1024
_FEW_INODES = 10_000
_SLOW_START = 2.0  # seconds
_SLOW_HASH = 0.5e9  # bytes per second; 1 to 3 GB/s are usual
_SLOW_DISK = 50e6


class Finding(NamedTuple):
    """One thing that was looked at."""

    topic: str
    level: str
    """``"ok"``, ``"warning"`` (it works, and could be better) or ``"problem"`` (it does not work)."""

    found: str
    advice: str = ""
    """What to do; empty if there is nothing to do."""


def judge(measured: Measured) -> list[Finding]:
    """All findings, in the order in which they are shown."""
    return [
        *_software(measured),
        *_cores(measured),
        *_memory(measured),
        *_blas(measured),
        *_shared_memory(measured),
        *_places(measured),
        *_speeds(measured),
    ]


def _software(measured: Measured) -> Iterator[Finding]:
    have = ", ".join(f"{name} {version}" for name, version in measured.packages.items() if version)
    yield Finding("software", FINE, f"Python {measured.python} on {measured.platform}; {have or 'no extras'}")
    if measured.open_files is not None and 0 <= measured.open_files < _FEW_FILES:
        yield Finding(
            "files",
            WARNING,
            f"a process may have {measured.open_files} files open",
            "each worker takes a few: raise it with `ulimit -n 4096`",
        )


def _cores(measured: Measured) -> Iterator[Finding]:
    parts = [f"{measured.logical} in the machine"]
    if measured.physical and measured.physical != measured.logical:
        parts.append(f"{measured.physical} physical")
    if measured.affinity < measured.logical:
        parts.append(f"{measured.affinity} by affinity")
    if measured.quota is not None:
        parts.append(f"{measured.quota} by the control group")
    limits = {name: text for name, text in measured.environment.items() if name.endswith("_CPU_COUNT")}
    parts += [f"{name}={text}" for name, text in limits.items()]
    advice = ""
    if measured.usable < measured.logical:
        advice = f"n_jobs=-1 means {measured.usable}; programs that count cores themselves start too many"
    yield Finding("cores", FINE, f"{measured.usable} usable: {', '.join(parts)}", advice)


def _memory(measured: Measured) -> Iterator[Finding]:
    if measured.memory is None or measured.available is None:
        return
    words = f"{size(measured.available)} available of {size(measured.memory)}"
    limit, usable = measured.memory_limit, measured.memory
    if limit is not None and limit < measured.memory:
        words, usable = f"{words}; the control group allows {size(limit)}", limit
    each = usable / measured.usable
    if min(measured.available, usable) < _GB / 2:
        advice = "workers may be ended by the system: use a smaller n_jobs=, or max_worker_memory="
        yield Finding("memory", WARNING, words, advice)
    elif each < _GB / 2:
        advice = f"that is {size(each)} per core: use a smaller n_jobs= for large tasks"
        yield Finding("memory", WARNING, words, advice)
    else:
        yield Finding("memory", FINE, words)


def _blas(measured: Measured) -> Iterator[Finding]:
    limits = {name: text for name, text in measured.environment.items() if name.endswith("THREADS")}
    said = "".join(f"; {name}={text}" for name, text in limits.items())
    if measured.blas is None:
        if measured.packages.get("numpy"):
            yield Finding(
                "BLAS",
                WARNING,
                f"threads cannot be limited inside this process{said}",
                "pip install 'lightwork[threads]': else backend=\"threads\" starts all cores in each thread",
            )
        return
    words = ", ".join(f"{name}: {count} threads" for name, count in measured.blas.items())
    most = max(measured.blas.values(), default=0)
    if most > measured.usable:
        advice = (
            f"that is more than the cores: set OMP_NUM_THREADS={measured.usable} outside of parallel calls"
        )
        yield Finding("BLAS", WARNING, words + said, advice)
    else:
        yield Finding("BLAS", FINE, (words or "no library is loaded") + said)


def _shared_memory(measured: Measured) -> Iterator[Finding]:
    if measured.shared_memory is None:
        words = "there is none"
        yield Finding("/dev/shm", WARNING, words, "lightwork needs none; multiprocessing and torch do")
        return
    whole, free = measured.shared_memory
    words = f"{size(free)} free of {size(whole)}"
    if free < _SMALL_SHM:
        advice = "lightwork needs none; for multiprocessing and torch start the container with --shm-size=1g"
        yield Finding("/dev/shm", WARNING, words, advice)
    else:
        yield Finding("/dev/shm", FINE, words)


def _places(measured: Measured) -> Iterator[Finding]:
    temporary = measured.temporary
    words = f"{temporary.path}: {_room(temporary)}"
    if not temporary.writable:
        yield Finding(
            "temporary", PROBLEM, f"{temporary.path} cannot be written", "set TMPDIR to another folder"
        )
    elif temporary.free < _LITTLE_ROOM:
        yield Finding("temporary", WARNING, words, "set TMPDIR to a folder with more room")
    else:
        yield Finding("temporary", FINE, words)
    yield _cache(measured.cache)


def _cache(cache: Folder) -> Finding:
    name = cache.path if cache.exists else f"{cache.path} (the nearest folder that exists)"
    words = f"{name}: {_room(cache)}"
    if cache.distrust:
        return Finding("cache", PROBLEM, cache.distrust)
    if not cache.writable:
        advice = "give Memory another location: what cannot be written is computed each time"
        return Finding("cache", PROBLEM, f"{name} cannot be written", advice)
    if not cache.is_local:
        advice = (
            "not known to be a local disk: one file per result, nothing is mapped and processes do not wait "
            "for each other; a local disk is faster"
        )
        return Finding("cache", WARNING, words, advice)
    if cache.free < _LITTLE_ROOM or 0 <= cache.inodes < _FEW_INODES:
        return Finding("cache", WARNING, words, "Memory(max_bytes=...) keeps a cache from filling the disk")
    return Finding("cache", FINE, words)


def _room(folder: Folder) -> str:
    files = f", room for {folder.inodes:,} files" if 0 <= folder.inodes < _FEW_INODES else ""
    return f"{size(folder.free)} free on {folder.file_system or 'an unknown file system'}{files}"


def _speeds(measured: Measured) -> Iterator[Finding]:
    speeds = measured.speeds
    if speeds.worker_error:
        advice = 'Parallel(backend="threads") needs none'
        yield Finding("workers", PROBLEM, f"they cannot be started: {speeds.worker_error}", advice)
    elif speeds.first_result is not None and speeds.next_result is not None:
        first, following = duration(speeds.first_result), duration(speeds.next_result)
        words = f"two start in {first}, and answer in {following}"
        slow = speeds.first_result > _SLOW_START
        advice = "is the machine busy, or Python on a network disk?" if slow else ""
        yield Finding("workers", WARNING if slow else FINE, words, advice)
    if speeds.hashing is not None:
        slow = speeds.hashing < _SLOW_HASH
        advice = "is the machine busy? Keys of large arguments take their time" if slow else ""
        yield Finding("hashing", WARNING if slow else FINE, _rate(speeds.hashing), advice)
    if speeds.disk_error:
        yield Finding("disk", WARNING, f"{measured.cache.path} was not measured: {speeds.disk_error}")
    elif speeds.writing is not None and speeds.reading is not None:
        slow = speeds.writing < _SLOW_DISK
        words = f"written at {_rate(speeds.writing)}, read at {_rate(speeds.reading)}"
        advice = "compress=True writes less; a local disk is faster" if slow else ""
        yield Finding("disk", WARNING if slow else FINE, words, advice)


def _rate(rate: float) -> str:
    return f"{size(rate)}/s"
