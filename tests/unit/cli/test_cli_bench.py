"""``lightwork bench`` as a real process: short, and each theme with all who are there."""

import json

import pytest

from tests.unit.cli.command import refused, run

pytestmark = pytest.mark.slow


def test_each_theme_is_measured_for_all_who_are_installed() -> None:
    """Lightwork first, three rounds at least, whatever the time."""
    themes = {"cache": 3, "processes": 3, "file": 3, "hash": 2}
    options = [word for theme in themes for word in ("--only", theme)]
    done = run("bench", "--seconds", "0", "--json", *options)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    for theme, least in themes.items():
        rows = [row for row in told if row["theme"] == theme]
        assert len(rows) >= least - (theme == "cache")  # diskcache may not be here
        assert (rows[0]["contender"], rows[0]["ratio"]) == ("lightwork", 1.0)
        assert all(row["rounds"] >= 3 and row["seconds"] > 0 for row in rows)


def test_a_table_is_for_people() -> None:
    """And bad input one line."""
    done = run("bench", "--seconds", "0", "--only", "keys")
    head, first, second = done.stdout.decode().splitlines()
    assert "median" in head
    assert first.endswith("1.00")
    assert "joblib" in second
    refused(run("bench", "--seconds", "-1"), 2)
    refused(run("bench", "--only", "taste"), 2)
