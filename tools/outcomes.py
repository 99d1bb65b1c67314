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

def lines(variable):
    with open(os.environ[variable]) as file:
        return set(file.read().splitlines())

def write(*record):
    with open(os.environ["OUTCOMES_RECORD"], "a") as file:
        file.write(json.dumps(record) + "\\n")

def pytest_collection_modifyitems(items, config):
    wanted, done = lines("OUTCOMES_WANTED"), lines("OUTCOMES_DONE")
    kept = [item for item in items if (not wanted or item.nodeid in wanted) and item.nodeid not in done]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept

def pytest_runtest_logstart(nodeid):
    write(nodeid, "ended the run")

def pytest_runtest_logreport(report):
    if report.when == "call" or report.outcome != "passed":
        expected = report.outcome == "skipped" and hasattr(report, "wasxfail")
        write(report.nodeid, "xfailed" if expected else report.outcome)

def pytest_sessionfinish():
    write("", "finished")
"""


def outcomes(
    command: Sequence[str], folder: Path, *, variables: Mapping[str, str], wanted: Sequence[str] = ()
) -> dict[str, str]:
    """Outcomes by test id: ``passed``, ``failed``, ``skipped``, ``xfailed``, ``ended the run``.

    A test that hangs (give pytest a ``--timeout``) or kills the process ends the run; another one begins
    after it.

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
        variables = {key: value for key, value in variables.items() if not key.endswith("_NUM_THREADS")}
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, (name, variables.get("PYTHONPATH"))))
        for file in ("record", "wanted", "done"):
            variables[f"OUTCOMES_{file.upper()}"] = str(place / file)
        (place / "wanted").write_text("".join(f"{test}\n" for test in wanted))
        known = -1
        while len(found) > known and "" not in found:
            known = len(found)
            (place / "done").write_text("".join(f"{test}\n" for test in found))
            (place / "record").touch()
            ended = subprocess.run(
                [*command, "-p", "outcomes_plugin", "-p", "no:cacheprovider", "--timeout-method=thread"],
                cwd=folder, env=variables, check=False,
            )  # fmt: skip
            found |= _read(place / "record")
            if "" not in found:
                print(f"pytest ended with status {ended.returncode}, in the midst of a test", flush=True)
    found.pop("", None)
    return found


def _read(record: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in record.read_text().splitlines():
        test, outcome = json.loads(line)
        if found.get(test) != "failed":
            found[test] = outcome
    return found
