"""`load(safe=True)` on files of strangers: refused with a reason, before anything is imported or called."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from lightwork import inspect, load, loads
from lightwork.errors import CorruptFileError, FileFormatError, UnsafeFileError
from lightwork.parcel import layout
from tests.unit.persistence.hostile_calls import CANARY
from tests.unit.persistence.hostile_files import Hostile, hostile_files
from tests.unit.persistence.hostile_skeletons import call, pickled, record, sealed, text

MARK = (
    "/tmp/lightwork-hostile"  # the files are made when this module is read; nothing may ever be written here
)
FILES = hostile_files(MARK)


def test_there_are_many_hostile_files() -> None:
    """At least fifty, and each tells what it is after."""
    assert len(FILES) >= 50
    assert all(file.why for file in FILES.values())


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason; as bytes, as a stream, as a file; and nothing of it has been imported or has run."""
    (tmp_path / f"{CANARY}.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    file: Hostile = FILES[name]
    with pytest.raises(FileFormatError) as caught:
        loads(file.data, safe=True)
    assert file.message in str(caught.value)
    assert not has_run()
    path = tmp_path / "x.lw"
    path.write_bytes(file.data)
    with pytest.raises(FileFormatError, match="cannot read"):
        load(path, safe=True)
    with pytest.raises(FileFormatError):
        load(io.BytesIO(file.data), safe=True)
    assert not has_run()


def has_run() -> bool:
    """Whether code of a file has: a module was imported that it names, or it made its mark."""
    return CANARY in sys.modules or Path(MARK).exists()


_WITHOUT_IMPORTS = """
import sys
from lightwork import loads
from lightwork.errors import UnsafeFileError
data = sys.stdin.buffer.read()
before = set(sys.modules)
try:
    loads(data, safe=True)
except UnsafeFileError as exc:
    assert "posix.system" in str(exc)
    new = {name.partition(".")[0] for name in set(sys.modules) - before}
    print(sorted(new - sys.stdlib_module_names - {"lightwork", "backports", "xxhash"}))
"""


@pytest.mark.slow
def test_nothing_is_imported_for_a_file_that_is_refused() -> None:
    """A frame whose attributes hold a call: not even pandas and numpy are imported, which frames need."""
    data = FILES["as attrs"].data
    found = subprocess.run(
        [sys.executable, "-c", _WITHOUT_IMPORTS], input=data, capture_output=True, check=True
    )
    assert found.stdout == b"[]\n"


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_can_be_inspected(name: str, tmp_path: Path) -> None:
    """`inspect` tells what is in it, or gives one of our errors."""
    path = tmp_path / "x.lw"
    path.write_bytes(FILES[name].data)
    try:
        assert str(inspect(path))
    except FileFormatError as exc:
        assert "cannot read" in str(exc)  # noqa: PT017 - either way is right


@pytest.mark.parametrize("in_blocks", [False, True])
@pytest.mark.parametrize("nbytes", [1 << 47, (1 << 64) - 1])
def test_a_promise_is_not_believed(nbytes: int, in_blocks: bool, tmp_path: Path) -> None:
    """A table that promises a buffer no memory can hold; as bytes, a file, a stream of unknown length."""
    skeleton, table = b"\x80\x05\x97.", layout.pack_table([layout.Slot(nbytes, in_blocks)])
    data = (
        layout.pack_header() + record(layout.SKELETON, skeleton) + record(layout.TABLE, table) + bytes(1000)
    )
    path = tmp_path / "x.lw"
    path.write_bytes(data)
    for file in (path, io.BytesIO(data)):
        with pytest.raises(FileFormatError):
            load(file, safe=True)
    with pytest.raises(FileFormatError):
        loads(data, safe=True)


@pytest.mark.parametrize(
    "facts",
    [b"[]", b'{"packages": []}', b'{"packages": {"a": 1}}', b'{"types": 1}', b'{"types": [1]}', b'{"a": {}}'],
)
def test_facts_that_are_none_are_refused(facts: bytes, tmp_path: Path) -> None:
    """The tail of a file tells what wrote it; `inspect` prints that, so it must be text."""
    path = tmp_path / "x.lw"
    path.write_bytes(sealed(b"\x80\x05N.", facts=facts))
    for read in (load, inspect):
        with pytest.raises(CorruptFileError, match="tells nonsense"):
            read(path)


def test_all_refused_types_are_named_with_what_to_do() -> None:
    """Libraries can be trusted; of the standard library nothing is offered."""
    data = pickled(b"(", call("os:system", text("x")), call("evil.inner:Thing"), call("more:Thing"), b"t")
    with pytest.raises(UnsafeFileError) as caught:
        loads(data, safe=True)
    message = str(caught.value)
    assert "does not build os.system, evil.inner.Thing, more.Thing" in message
    assert "trusted=['evil', 'more']" in message
