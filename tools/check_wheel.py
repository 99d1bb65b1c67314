"""Build the wheel, install it into an empty environment without any extra, and use all four services there.

What is tested is what users get: no source tree, no numpy, nothing of the test environment.
"""

import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

SMOKE = """
import sys, tempfile, pathlib
import lightwork
from lightwork import Memory, Parallel, delayed, dump, load, hash

def square(x):
    return x * x

folder = pathlib.Path(tempfile.mkdtemp())
assert "site-packages" in lightwork.__file__, lightwork.__file__
assert hash({"a": [1, 2]}) == hash({"a": [1, 2]}) != hash({"a": [1, 3]})
dump({"rows": list(range(1000))}, folder / "x.lw", compress=True)
assert load(folder / "x.lw") == {"rows": list(range(1000))}
cached = Memory(folder / "cache").cache(square)
assert cached(3) == 9 and cached(3) == 9 and cached.check_call_in_cache(3)
assert Parallel(n_jobs=2)(delayed(square)(i) for i in range(10)) == [i * i for i in range(10)]
assert "numpy" not in sys.modules
parallel = Parallel(n_jobs=2, trace=folder / "run.json")
parallel(delayed(square)(i) for i in range(10))
parallel.report().save(folder / "run.html")
assert "</script>" in (folder / "run.html").read_text()
print("wheel: all four services work without numpy")
"""


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="lightwork-wheel-") as scratch:
        folder = Path(scratch)
        wheel = build(folder)
        check_content(wheel)
        python = install(wheel, folder / "venv")
        script = folder / "smoke.py"
        script.write_text(SMOKE)
        for command in (
            [python, "-W", "error", script],
            [python.parent / "lightwork", "hash", "{'a': [1, 2]}"],
        ):
            code = subprocess.run(command, cwd=folder, timeout=120).returncode
            if code:
                return code
        return 0


def build(folder: Path) -> Path:
    """The wheel of the working tree."""
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"wheel: it cannot be built\n{result.stdout}{result.stderr}")
    (wheel,) = folder.glob("*.whl")
    return wheel


def check_content(wheel: Path) -> None:
    """The type marker and the licence are inside, tests and benchmarks are not."""
    names = zipfile.ZipFile(wheel).namelist()
    foreign = [name for name in names if not name.startswith(("lightwork/", "lightwork-"))]
    if foreign or "lightwork/py.typed" not in names or not any(name.endswith("LICENSE") for name in names):
        sys.exit(f"wheel: wrong content: {foreign or 'py.typed or LICENSE is missing'}")


def install(wheel: Path, folder: Path) -> Path:
    """The interpreter of a new environment that holds the wheel and what it requires."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"wheel: it cannot be installed\n{result.stdout}{result.stderr}")
    return python


if __name__ == "__main__":
    sys.exit(main())
