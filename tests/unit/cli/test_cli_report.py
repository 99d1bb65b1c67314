"""``lightwork report`` as a real process."""

import json
from pathlib import Path

import pytest

from lightwork import Memory, Parallel, delayed
from tests.unit.cli.command import refused, run

pytestmark = pytest.mark.slow


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    Parallel(2, "threads", trace=tmp_path / "run.json")(delayed(abs)(i) for i in range(50))
    return tmp_path / "run.json"


def test_a_trace_becomes_a_page(trace: Path) -> None:
    """Beside it, under its name; the report is printed as well, and the path last."""
    done = run("report", "run.json", cwd=trace.parent)
    assert (done.returncode, done.stderr) == (0, b"")
    first, *_, advice, path = done.stdout.decode().splitlines()
    assert first.startswith("50 tasks in ")
    assert advice.endswith(".")
    assert path == "run.html"
    page = (trace.parent / "run.html").read_text()
    assert "<h2>What ran when</h2>" in page
    assert advice in page


def test_the_page_goes_where_it_is_told_to(trace: Path, tmp_path: Path) -> None:
    """With the figures as JSON for programs."""
    done = run("report", str(trace), "-o", str(tmp_path / "a b.html"), "--json")
    told = json.loads(done.stdout)
    assert told["page"] == str(tmp_path / "a b.html")
    assert (told["tasks"], told["workers"]) == (50, 2)
    assert sum(told["phases"].values()) == pytest.approx(told["seconds"] * 2, rel=0.05)
    assert (tmp_path / "a b.html").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nothing.json"], 2, "'nothing.json' cannot be read"),
        (["."], 2, "'.' cannot be read"),
        (["other.json"], 2, "'other.json' is no trace"),
        (["cut.json"], 1, "'cut.json' is damaged or cut off"),
        (["run.json", "-o", "run.json"], 2, "is the trace itself"),
        (["run.json", "-o", "run.txt"], 2, "does not end in .html"),
        (["run.json", "-o", "no/run.html"], 2, "a folder that is there"),
    ],
)
def test_what_cannot_be_done_is_one_line(trace: Path, arguments: list[str], code: int, words: str) -> None:
    """And leaves no page, nor a changed trace."""
    content = trace.read_bytes()
    (trace.parent / "other.json").write_text("{}")
    (trace.parent / "cut.json").write_bytes(content[:-30])
    done = run("report", *arguments, cwd=trace.parent)
    assert words in refused(done, code)
    assert trace.read_bytes() == content
    assert not list(trace.parent.glob("*.html"))


def half(x: int) -> float:
    return x / 2


def test_the_functions_of_a_cache_are_drawn(tmp_path: Path) -> None:
    """All that are selected, however few are listed; a page that cannot be costs nothing."""
    memory = Memory(tmp_path / "cache")
    for number in range(5):
        memory.cache(half)(number)
    done = run("cache", "top", "cache", "--html", "top.html", "-n", "0", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    page = (tmp_path / "top.html").read_text()
    assert "<h1>Cache cache</h1>" in page
    assert "<h2>Size by function</h2>" in page
    assert ':half</td><td class="number">5</td>' in page
    assert "does not end in .html" in refused(run("cache", "top", "cache", "--html", "x", cwd=tmp_path), 2)
    assert (
        run("cache", "top", "cache", "--html", "none.html", "--function", "no", cwd=tmp_path).returncode == 0
    )
    assert "0 B" in (tmp_path / "none.html").read_text()
