"""Run the tests of installed libraries on lightwork and on joblib, and compare test by test.

``python tools/libraries.py [LIBRARY ...] [--short] [--on lightwork]``. The tests are those of the wheels,
run as ``python -m pytest`` and ``python -m lightwork.compat -m pytest``. The status is 1 if a test that
passes on joblib does not pass on lightwork.
"""

import argparse
import os
import sys
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from outcomes import outcomes

# What of each library stands on joblib. The packages are imported, so their own conftests are found.
LIBRARIES = {
    "sklearn": (
        "sklearn.tests.test_pipeline",
        "sklearn.ensemble.tests.test_forest",
        "sklearn.ensemble.tests.test_bagging",
        "sklearn.ensemble.tests.test_voting",
        "sklearn.ensemble.tests.test_stacking",
        "sklearn.model_selection.tests.test_search",
        "sklearn.model_selection.tests.test_validation",
        "sklearn.linear_model",
        "sklearn.cluster",
        "sklearn.metrics.tests.test_pairwise",
        "sklearn.tests.test_multiclass",
        "sklearn.tests.test_config",
        "sklearn.utils.tests.test_parallel",
    ),
    "hdbscan": ("hdbscan",),
    "imblearn": ("imblearn.ensemble", "imblearn.tests.test_pipeline", "imblearn.over_sampling"),
    "nilearn": (
        "nilearn._utils.tests.test_cache_mixin",
        "nilearn.mass_univariate.tests.test_permuted_least_squares",
        "nilearn.maskers.tests.test_multi_nifti_masker",
    ),
}

# What touches joblib most, in less than a minute: `make check` runs it.
SHORT = {
    "sklearn": (
        *("sklearn.utils.tests.test_parallel", "sklearn.tests.test_config"),
        *("sklearn.ensemble.tests.test_voting", "sklearn.tests.test_multiclass"),
        "-k=parallel or jobs or memory or cache or threading or config or warm or voting",
    ),
}

BAD = ("failed", "ended the run")
LIGHTWORK, JOBLIB = "lightwork", "joblib"
_HOW = {LIGHTWORK: ("-m", "lightwork.compat", "-m", "pytest"), JOBLIB: ("-m", "pytest")}


def run(on: str, what: Sequence[str], options: Sequence[str]) -> dict[str, str]:
    """The outcome of each test on one of the two."""
    root = f"--rootdir={sysconfig.get_path('purelib')}"  # so that ids have the path of the file in them
    with tempfile.TemporaryDirectory(prefix="libraries-") as folder:
        command = [sys.executable, *_HOW[on], "-q", root, "--pyargs", "--timeout=600", *what, *options]
        return outcomes(command, Path(folder), variables=os.environ)


def compare(library: str, what: Sequence[str], options: Sequence[str]) -> bool:
    """Print the counts of both, and the tests that differ; whether none got worse."""
    found = {on: run(on, what, options) for on in (JOBLIB, LIGHTWORK)}
    for on, tests in found.items():
        print(f"{library} on {on}: {_counts(tests)}")
    worse = [test for test, outcome in found[JOBLIB].items() if outcome != found[LIGHTWORK].get(test)]
    for test in worse:
        print(f"  {found[JOBLIB][test]}, now {found[LIGHTWORK].get(test, 'did not run')}: {test}")
    return bool(found[JOBLIB]) and not any(found[JOBLIB][test] == "passed" for test in worse)


def _counts(tests: dict[str, str]) -> str:
    return ", ".join(f"{number} {outcome}" for outcome, number in sorted(Counter(tests.values()).items()))


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("libraries", nargs="*", help=", ".join(LIBRARIES))
    parser.add_argument("--short", action="store_true", help="a selection that takes less than a minute")
    parser.add_argument("--on", choices=(LIGHTWORK, JOBLIB), help="only there: every test must pass")
    arguments, options = parser.parse_known_args()
    selections = SHORT if arguments.short else LIBRARIES
    good = True
    for library in arguments.libraries or selections:
        if arguments.on:
            tests = run(arguments.on, selections[library], options)
            print(f"{library} on {arguments.on}: {_counts(tests)}")
            bad = [test for test, outcome in tests.items() if outcome in BAD]
            print("".join(f"  {tests[test]}: {test}\n" for test in bad), end="")
            good = good and bool(tests) and not bad
        else:
            good = compare(library, selections[library], options) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
