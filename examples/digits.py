"""The main job: 1,797 scanned handwritten digits remembered, shared out, kept and identified.

Run it with ``make demo``. It runs the same job twice, each time in a new process:

1. *features* are extracted from every image by a deliberately costly function, cached by `Memory`, over two
   worker processes with `Parallel`;
2. a *search* tries 24 models with 5-fold cross-validation, also cached and in parallel;
3. the *best model* is written compressed with `dump`, and a fresh process `load`s it and predicts with it.

The second run must compute nothing: each cached function writes a line to a log when it really runs. The
script exits with 1 if the log grew, or if any prediction differs.
"""

import argparse
import json
import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lightwork import Memory, Parallel, delayed, dump, hash, load

FOLDER = Path(__file__).resolve().parent / ".digits"
WORKERS = 2
CHUNK = 60  # images per task

memory = Memory(FOLDER / "cache")


def note(what: str) -> None:
    """Write down that something was really computed; safe from several processes (one short append)."""
    with (FOLDER / "computed.log").open("a") as log:
        log.write(f"{what}\n")


def computed(what: str) -> int:
    """How often it has been computed so far."""
    log = FOLDER / "computed.log"
    return log.read_text().splitlines().count(what) if log.exists() else 0


class Candidate(NamedTuple):
    """One model of the search."""

    kind: str
    setting: float

    def build(self) -> Any:  # Any: a scikit-learn estimator, which has no types
        if self.kind == "neighbours":
            model = KNeighborsClassifier(n_neighbors=int(self.setting), weights="distance")
        elif self.kind == "logistic":
            model = LogisticRegression(C=self.setting, max_iter=1000)
        else:
            model = RandomForestClassifier(n_estimators=int(self.setting), random_state=0)
        return make_pipeline(StandardScaler(), model)


CANDIDATES = [
    *(Candidate("neighbours", k) for k in range(1, 9)),
    *(Candidate("logistic", c) for c in np.geomspace(1e-3, 3, 8).round(5).tolist()),
    *(Candidate("forest", trees) for trees in range(50, 210, 20)),
]


def strokes(image: NDArray[np.float64]) -> list[float]:
    """How long the runs of ink are in each row and column, and where they lie: plain, slow Python."""
    found: list[float] = []
    for lines in (image, image.T):
        for line in lines.tolist():
            inked = [position for position, value in enumerate(line) if value > 6]
            found.append(float(len(inked)))
            found.append(sum(inked) / len(inked) if inked else -1.0)
    return found


def blurred_moments(image: NDArray[np.float64]) -> list[float]:
    """Moments of the image under a series of blurs, pixel by pixel: deliberately costly."""
    moments: list[float] = []
    height, width = image.shape
    for radius in (1, 2, 3, 4):
        for power in (1, 2, 3):
            total_x = total_y = mass = 0.0
            for y in range(height):
                for x in range(width):
                    window = image[max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1]
                    value = float(window.mean()) ** power
                    mass += value
                    total_x += x * value
                    total_y += y * value
            moments += [mass, total_x / (mass or 1.0), total_y / (mass or 1.0)]
    return moments


@memory.cache
def features(images: NDArray[np.float64]) -> NDArray[np.float64]:
    """One row of features for each image; shape ``(n_images, n_features)``."""
    note("features")
    rows = [[*image.ravel().tolist(), *strokes(image), *blurred_moments(image)] for image in images]
    return np.array(rows)


@memory.cache
def score(candidate: Candidate, rows: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Mean accuracy of a model over five folds."""
    note("search")
    return float(cross_val_score(candidate.build(), rows, labels, cv=5).mean())


class Stage(NamedTuple):
    """What one stage of one run took and found."""

    name: str
    seconds: float
    calls: int  # of a cached function; 0 where nothing is cached
    hits: int
    nbytes: int


def extract(images: NDArray[np.float64]) -> tuple[Stage, NDArray[np.float64]]:
    """The feature table of all images."""
    chunks = [images[start : start + CHUNK] for start in range(0, len(images), CHUNK)]
    before = computed("features")
    start = time.perf_counter()
    parts = Parallel(n_jobs=WORKERS, progress=True)(delayed(features)(chunk) for chunk in chunks)
    seconds = time.perf_counter() - start
    table = np.concatenate(parts)
    hits = len(chunks) - (computed("features") - before)
    return Stage("features", seconds, len(chunks), hits, table.nbytes), table


def search(rows: NDArray[np.float64], labels: NDArray[np.int64]) -> tuple[Stage, Candidate, float]:
    """The best candidate and its accuracy."""
    before = computed("search")
    start = time.perf_counter()
    tasks = (delayed(score)(candidate, rows, labels) for candidate in CANDIDATES)
    scores = Parallel(n_jobs=WORKERS, progress=True)(tasks)
    seconds = time.perf_counter() - start
    hits = len(CANDIDATES) - (computed("search") - before)
    best = int(np.argmax(scores))
    return Stage("search", seconds, len(CANDIDATES), hits, 0), CANDIDATES[best], scores[best]


@memory.cache
def fit(
    candidate: Candidate, rows: NDArray[np.float64], labels: NDArray[np.int64]
) -> Any:  # Any: an estimator
    """The model, fitted to everything."""
    note("fit")
    return candidate.build().fit(rows, labels)


def keep(
    candidate: Candidate, rows: NDArray[np.float64], labels: NDArray[np.int64]
) -> tuple[list[Stage], str]:
    """Fit, write compressed, read in a fresh process; returns the key of the predictions."""
    before = computed("fit")
    start = time.perf_counter()
    model = fit(candidate, rows, labels)
    fitted = time.perf_counter()
    dump(model, FOLDER / "model.lw", compress=True)
    dump(rows, FOLDER / "rows.lw")
    dumped = time.perf_counter()
    found = predictions_of_a_fresh_process()
    loaded = time.perf_counter()
    if found != (expected := hash(model.predict(rows))):
        sys.exit(f"digits: the loaded model predicts otherwise ({found} instead of {expected})")
    stages = [
        Stage("fit the best", fitted - start, 1, 1 - (computed("fit") - before), 0),
        Stage("dump", dumped - fitted, 0, 0, (FOLDER / "model.lw").stat().st_size),
        Stage("load elsewhere", loaded - dumped, 0, 0, 0),
    ]
    return stages, expected


def predictions_of_a_fresh_process() -> str:
    """The key of what the written model predicts in a process that has never seen it."""
    command = [sys.executable, __file__, "--predict"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def run(report: Path) -> None:
    """The whole job, once; its figures go into a JSON file."""
    digits = load_digits()
    extraction, rows = extract(digits.images)
    searching, best, accuracy = search(rows, digits.target)
    kept, predictions = keep(best, rows, digits.target)
    content = {
        "stages": [stage._asdict() for stage in (extraction, searching, *kept)],
        "best": f"{best.kind} {best.setting:g}",
        "accuracy": accuracy,
        "predictions": predictions,
    }
    report.write_text(json.dumps(content))


def compare(first: dict[str, Any], second: dict[str, Any]) -> list[str]:  # Any: parsed JSON
    """What is wrong with the second run; nothing if all is well."""
    faults = [
        f"stage {stage['name']!r} of the second run computed {stage['calls'] - stage['hits']} calls again"
        for stage in second["stages"]
        if stage["hits"] != stage["calls"]
    ]
    for name in ("best", "accuracy", "predictions"):
        if first[name] != second[name]:
            faults.append(f"{name} differs: {first[name]} at first, {second[name]} then")
    return faults


def table(first: dict[str, Any], second: dict[str, Any]) -> str:  # Any: parsed JSON
    """Stage, first time, second time, speed-up, cache hits, sizes."""
    lines = [f"{'stage':<16}{'first':>10}{'second':>10}{'speed-up':>10}{'hits':>9}{'size':>12}"]
    for one, two in zip(first["stages"], second["stages"], strict=True):
        hits = f"{two['hits']}/{two['calls']}" if two["calls"] else "-"
        size = f"{two['nbytes'] / 1024:,.0f} KiB" if two["nbytes"] else "-"
        lines.append(
            f"{one['name']:<16}{one['seconds']:>8.2f} s{two['seconds']:>8.3f} s"
            f"{one['seconds'] / two['seconds']:>8.0f} x{hits:>9}{size:>12}"
        )
    cache = sum(path.stat().st_size for path in (FOLDER / "cache").rglob("*") if path.is_file())
    lines.append(
        f"best model: {second['best']}, accuracy {second['accuracy']:.4f}; cache {cache / 1024:,.0f} KiB"
    )
    return "\n".join(lines)


def main() -> int:
    """Run the job twice, each time in a new process, and compare."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    reports = []
    for number in ("first", "second"):
        print(f"{number} run, in a new process ({os.cpu_count()} cores, {WORKERS} workers)", flush=True)
        report = FOLDER / f"{number}.json"
        subprocess.run([sys.executable, __file__, "--run", str(report)], check=True)
        reports.append(json.loads(report.read_text()))
    print()
    print(table(*reports))
    faults = compare(*reports)
    for fault in faults:
        print(f"digits: {fault}", file=sys.stderr)
    if not faults:
        print("The second run computed nothing, and every prediction is the same.")
    return 1 if faults else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", type=Path, metavar="REPORT", help="run the job once and write its figures")
    parser.add_argument(
        "--predict", action="store_true", help="print the key of the kept model's predictions"
    )
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    if options.predict:
        print(hash(load(FOLDER / "model.lw").predict(load(FOLDER / "rows.lw", mmap_mode="r"))))
    elif options.run:
        run(options.run)
    else:
        try:
            sys.exit(main())
        except subprocess.CalledProcessError as exc:
            sys.exit(f"digits: a run failed with exit code {exc.returncode}")
