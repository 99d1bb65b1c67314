"""Run pytest in a process of its own and learn what became of each test."""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

# Loaded into the examined pytest with `-p`. A test has the worst of the outcomes of its three phases.
PLUGIN = """
import json, os

def pytest_collection_modifyitems(items, config):
    wanted = os.environ.get("OUTCOMES_WANTED")
    if wanted:
        with open(wanted) as file:
            wanted = set(file.read().splitlines())
        unwanted = [item for item in items if item.nodeid not in wanted]
        items[:] = [item for item in items if item.nodeid in wanted]
        config.hook.pytest_deselected(items=unwanted)

def pytest_runtest_logreport(report):
    if report.when == "call" or report.outcome != "passed":
        with open(os.environ["OUTCOMES_RECORD"], "a") as file:
            outcome = "xfailed" if hasattr(report, "wasxfail") else report.outcome
            file.write(json.dumps([report.nodeid, outcome]) + "\\n")
"""


def outcomes(
    command: Sequence[str], folder: Path, *, variables: Mapping[str, str], wanted: Sequence[str] = ()
) -> dict[str, str]:
    """The outcome of each test by its id: ``passed``, ``failed``, ``skipped`` or ``xfailed``.

    A test that did not end, because it or another ended the process, is missing.

    Parameters
    ----------
    command
        What runs pytest, without the plugin that records.
    folder
        The working directory, from which ids count.
    variables
        Environment variables. Limits of threads are left out: tests of joblib look at them.
    wanted
        Ids of the tests to run; empty: all that the command names.
    """
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="outcomes-") as name:
        place = Path(name)
        (place / "outcomes_plugin.py").write_text(PLUGIN)
        record = place / "record"
        record.touch()
        variables = {key: value for key, value in variables.items() if not key.endswith("_NUM_THREADS")}
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, (name, variables.get("PYTHONPATH"))))
        variables["OUTCOMES_RECORD"] = str(record)
        if wanted:
            (place / "wanted").write_text("".join(f"{test}\n" for test in wanted))
            variables["OUTCOMES_WANTED"] = str(place / "wanted")
        subprocess.run(
            [*command, "-p", "outcomes_plugin", "-p", "no:cacheprovider"],
            cwd=folder, env=variables, check=False,
        )  # fmt: skip
        for line in record.read_text().splitlines():
            test, outcome = json.loads(line)
            if found.get(test) != "failed":
                found[test] = outcome
    return found
