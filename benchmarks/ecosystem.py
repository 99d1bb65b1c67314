"""scikit-learn on lightwork and on joblib, in two processes that differ only in the alias.

``python benchmarks/ecosystem.py`` prints the ratios; ``benchmarks/run.py`` puts them into the table.
With ``--serve`` this is one of the two: it reads the name of a job per line and answers with its seconds.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from subprocess import PIPE, Popen

import joblib
import numpy as np
from sklearn.datasets import make_classification
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import pairwise_distances
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline

JOBS = 2
LIGHTWORK, JOBLIB = "lightwork", "joblib"
_SERVERS = {
    LIGHTWORK: (sys.executable, "-m", "lightwork.compat", __file__, "--serve"),
    JOBLIB: (sys.executable, __file__, "--serve"),
}

X, Y = make_classification(n_samples=2000, n_features=40, random_state=0)
FOREST = RandomForestClassifier(30, random_state=0).fit(X[:500], Y[:500])


def smooth(signal: "np.ndarray[tuple[int], np.dtype[np.float64]]", width: int) -> object:
    """What an audio or imaging library would remember: an array in, an array out."""
    return np.convolve(signal, np.ones(width) / width, mode="same")


def jobs(folder: str) -> dict[str, Callable[[], object]]:
    """What is timed, by name. Each does all of its work anew, except where a cache is the point."""
    memory = joblib.Memory(f"{folder}/kept", verbose=0)
    signals = [np.random.default_rng(seed).normal(size=100_000) for seed in range(10)]
    remembered = memory.cache(smooth)
    new = iter(range(1, 1 << 30))
    cached = make_pipeline(PCA(20, random_state=0), LogisticRegression(max_iter=200), memory=memory)
    grid = {"C": np.logspace(-3, 2, 6)}
    return {
        "RandomForestClassifier.fit, 100 trees": lambda: RandomForestClassifier(
            100, n_jobs=JOBS, random_state=0
        ).fit(X, Y),
        "GridSearchCV, 30 fits": lambda: GridSearchCV(LogisticRegression(), grid, n_jobs=JOBS).fit(X, Y),
        "cross_validate, a cached pipeline, 5 folds": lambda: cross_validate(cached, X, Y, n_jobs=JOBS),
        "permutation_importance, 40 × 5 predictions": lambda: permutation_importance(
            FOREST, X[:500], Y[:500], n_jobs=JOBS, random_state=0
        ),
        "pairwise_distances, 2000 × 2000, manhattan": lambda: pairwise_distances(
            X, metric="manhattan", n_jobs=JOBS
        ),
        "Memory, 10 arrays of 800 KB, remembered, 20 times": lambda: [
            remembered(signal, 5) for _ in range(20) for signal in signals
        ],
        "Memory, 10 arrays of 800 KB, new": lambda: [
            remembered(signal, width) for width in (next(new),) for signal in signals
        ],
        "a loop of 2000 small tasks": lambda: joblib.Parallel(n_jobs=JOBS)(
            joblib.delayed(abs)(i) for i in range(2000)
        ),
    }


def names() -> list[str]:
    """The jobs that there are."""
    with tempfile.TemporaryDirectory() as folder:
        return list(jobs(folder))


def serve() -> None:
    """Be one of the two processes, until the standard input ends."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        known = jobs(folder)
        for line in sys.stdin:
            start = time.perf_counter()
            known[line.rstrip("\n")]()
            print(time.perf_counter() - start, flush=True)


@contextmanager
def both() -> Iterator[dict[str, Callable[[str], float]]]:
    """Two processes; each runs a job by its name and gives its seconds."""
    servers = {on: Popen(command, stdin=PIPE, stdout=PIPE, text=True) for on, command in _SERVERS.items()}
    try:
        yield {on: partial(_ask, server) for on, server in servers.items()}
    finally:
        for server in servers.values():
            server.communicate()


def _ask(server: "Popen[str]", job: str) -> float:
    assert server.stdin is not None, "a pipe"
    assert server.stdout is not None, "a pipe"
    server.stdin.write(f"{job}\n")
    server.stdin.flush()
    return float(server.stdout.readline())


def main() -> int:
    """Print medians of five and their ratios."""
    if "--serve" in sys.argv:
        serve()
        return 0
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from run import main as run

    return run(["ecosystem"])


if __name__ == "__main__":
    sys.exit(main())
