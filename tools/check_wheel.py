"""Build the sdist and the wheel twice, install the wheel without extras in an empty environment, and use it.

What is tested is what users get: no source tree, no numpy, nothing of the test environment. Both builds must
agree in every byte: the second is made from the unpacked sdist, elsewhere, later, under another umask.
"""

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEEDED = ["pytest>=8.2", "pytest-timeout>=2.3"]
"""What the tests in ``tests/bare`` need besides lightwork."""


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="lightwork-wheel-") as scratch:
        folder = Path(scratch)
        sdist, wheel = build(ROOT, folder / "first")
        check_content(wheel)
        source = unpack(sdist, folder)
        check_same([sdist, wheel], build(source, folder / "second", umask=0o077))
        python = install(folder / "venv", [wheel, *NEEDED])
        for command in (
            [python, "-c", "import lightwork; assert 'site-packages' in lightwork.__file__"],
            [python, "-m", "pytest", "-q", source / "tests" / "bare", "-c", source / "pyproject.toml"],
            [python.parent / "lightwork", "hash", "{'a': [1, 2]}"],
        ):
            code = subprocess.run(command, cwd=folder, timeout=300).returncode
            if code:
                return code
        print("wheel: both builds are the same, and it works without any optional package")
        return 0


def build(source: Path, folder: Path, *, umask: int = 0o022) -> tuple[Path, Path]:
    """The sdist of a source tree and the wheel that is built of it."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(source)]
    result = subprocess.run(command, capture_output=True, text=True, preexec_fn=lambda: os.umask(umask))
    if result.returncode:
        sys.exit(f"wheel: it cannot be built\n{result.stdout}{result.stderr}")
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


def check_content(wheel: Path) -> None:
    """The type marker and the licence are inside, tests and benchmarks are not."""
    names = zipfile.ZipFile(wheel).namelist()
    foreign = [name for name in names if not name.startswith(("lightwork/", "lightwork-"))]
    if foreign or "lightwork/py.typed" not in names or not any(name.endswith("LICENSE") for name in names):
        sys.exit(f"wheel: wrong content: {foreign or 'py.typed or LICENSE is missing'}")


def unpack(sdist: Path, folder: Path) -> Path:
    """The source tree in an sdist."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return folder / sdist.name.removesuffix(".tar.gz")


def check_same(first: Iterable[Path], second: Iterable[Path]) -> None:
    """Two builds agree in every byte."""
    for one, two in zip(first, second, strict=True):
        digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (one, two)]
        if len(set(digests)) > 1:
            sys.exit(f"wheel: two builds of {one.name} differ: {digests}")


def install(folder: Path, what: Iterable[str | Path], constraints: Path | None = None) -> Path:
    """The interpreter of a new environment that holds these requirements."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    install_into(python, what, constraints)
    return python


def install_into(python: Path, what: Iterable[str | Path], constraints: Path | None) -> None:
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *map(str, what)]
    if constraints is not None:
        command += ["--constraint", str(constraints)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"wheel: it cannot be installed\n{result.stdout}{result.stderr}")


if __name__ == "__main__":
    sys.exit(main())
