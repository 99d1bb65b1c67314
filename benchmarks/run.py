"""Run the benchmarks: ``python benchmarks/run.py [theme ...] [--write]``.

Themes: import, memory, shared, hash, persistence, parallel, keeping, ecosystem. Without a theme all run. With
``--write`` the table replaces ``benchmarks/RESULTS.md``; that is what ``make bench`` does.
"""

import argparse
import compileall
import importlib
import os
import pickle
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from harness import INCUMBENT, OURS, Row, measure, span  # noqa: E402

THEMES = ("import", "memory", "shared", "hash", "persistence", "parallel", "keeping", "ecosystem")
PEERS = (
    *("joblib", "diskcache", "mpire", "blosc2", "numpy", "blake3", "cloudpickle"),
    *("pandas", "pyarrow", "scikit-learn", "torch", "safetensors"),
)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("themes", nargs="*", metavar="theme", help=", ".join(THEMES) + " (default: all)")
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    parser.add_argument("--rows", type=Path, help=argparse.SUPPRESS)  # where a theme leaves what it measured
    parser.add_argument("--only", default="", help="only the rows whose text contains this")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.themes) - set(THEMES))
    if unknown:
        parser.error(f"no such theme: {', '.join(unknown)} (there are {', '.join(THEMES)})")
    if options.write and (options.themes or options.only):
        parser.error("--write needs a whole run: leave out the themes and --only")
    themes = options.themes or THEMES
    if options.rows:
        options.rows.write_bytes(pickle.dumps(run_theme(themes[0], options.only)))
        return 0
    compile_sources()
    rows = [row for theme in themes for row in run_apart(theme, options.only)]
    if options.write:
        (HERE / "RESULTS.md").write_text(report(rows), encoding="utf-8")
        print(f"written: {HERE / 'RESULTS.md'}")
    return 0


def compile_sources() -> None:
    """As the installation of a wheel does: else an editable one of ours is compiled at each import."""
    compileall.compile_dir(str(HERE.parent / "src"), quiet=1)


def run_apart(theme: str, only: str) -> list[Row]:
    """`run_theme` in a process of its own: a heap that others have filled slows down whoever comes next."""
    with tempfile.TemporaryDirectory(prefix="lightwork-rows-") as folder:
        path = Path(folder, "rows")
        command = [sys.executable, __file__, theme, f"--only={only}", f"--rows={path}"]
        subprocess.run(command, check=True)
        rows: list[Row] = pickle.loads(path.read_bytes())
    return rows


def run_theme(theme: str, only: str) -> list[Row]:
    """Measure the cases of one file, and print each row as soon as it is there."""
    cases = importlib.import_module(f"bench_{theme}").cases
    rows = []
    print(f"\n{theme}", flush=True)
    with tempfile.TemporaryDirectory(prefix="lightwork-bench-", ignore_cleanup_errors=True) as scratch:
        for case in cases(Path(scratch)):
            if only not in case.work:
                continue
            row = measure(theme, case)
            rows.append(row)
            print(_line(row), flush=True)
    return rows


def _line(row: Row) -> str:
    times = "  ".join(f"{name} {row.show(value)}" for name, value in row.medians.items())
    ratio = f"{row.ratio:6.1f} x" if row.ratio else "     - "
    return f"  {row.work:48.48} {ratio} {row.verdict:6} {times}"


def report(rows: list[Row]) -> str:
    """The page: a summary, one table, the notes, and what the figures were taken on."""
    return "\n".join([*_head(rows), *_table(rows), *_notes(rows), ""])


def _head(rows: list[Row]) -> list[str]:
    compared = [row for row in rows if row.ratio is not None and row.show is span]
    threefold = [row for row in compared if (row.ratio or 0) >= 3]
    slower = [row for row in compared if (row.ratio or 0) < 1]
    judged = [row for row in rows if row.verdict]
    met = [row for row in judged if row.verdict == "met"]
    peers = ", ".join(f"{name} {_version(name)}" for name in PEERS)
    return [
        "# Results",
        "",
        "Written by `make bench`. All sides of a row ran in one process tree, in turn; times are medians "
        "per operation. Ratios travel between machines, times do not.",
        "",
        f"- {len(threefold)} of {len(compared)} rows that joblib can do are at least 3 × faster than joblib; "
        f"{len(slower)} are slower.",
        f"- {len(met)} of {len(judged)} targets are met; each that falls short is marked **short**.",
        f"- Machine: {os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}; {peers}.",
        "",
    ]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "–"


def _other(row: Row, name: str) -> str:
    """A peer with its time; a yardstick also with how many times as long we take."""
    if name not in row.medians:
        return f"{name} –"
    text = f"{name} {row.show(row.medians[name])}"
    if name.startswith("yardstick: ") and OURS in row.medians:
        text += f" (we: {row.medians[OURS] / row.medians[name]:.2g} ×)"
    return text


def _table(rows: list[Row]) -> list[str]:
    lines = [
        "| theme | work | lightwork | joblib | joblib ÷ lightwork | other peers and yardsticks | target | |",
        "|---|---|--:|--:|--:|---|---|---|",
    ]
    for row in rows:
        others = [_other(row, name) for name in row.sides if name not in (OURS, INCUMBENT)]
        verdict = "**short**" if row.verdict == "short" else row.verdict
        cells = [
            row.theme,
            row.work,
            _cell(row, OURS),
            _cell(row, INCUMBENT),
            f"{row.ratio:.1f} ×" if row.ratio else "–",
            "; ".join(others) or "–",
            row.target or "–",
            verdict,
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _cell(row: Row, side: str) -> str:
    return row.show(row.medians[side]) if side in row.medians else "–"


def _notes(rows: list[Row]) -> list[str]:
    noted = [row for row in rows if row.note]
    return ["", "## Notes", "", *(f"- *{row.work}*: {row.note}" for row in noted)] if noted else []


if __name__ == "__main__":
    sys.exit(main())
