"""What a notebook shows of caches and of what they answer: small, escaped, without script."""

import re
from pathlib import Path

import pytest

from lightwork import Memory
from lightwork.memory.plan import Plan, PlannedCall
from lightwork.stores import TransientStore


def double(value: int) -> int:
    return 2 * value


def shown(drawing: str) -> str:
    """The drawing without its style; there is no script in it."""
    assert "<script" not in drawing
    return re.sub(r"<style>.*?</style>", "", drawing, flags=re.DOTALL)


def test_a_memory_shows_where_results_go_and_what_was_counted(tmp_path: Path) -> None:
    """Its limits too, in words; names are text, whatever is in them."""
    memory = Memory(tmp_path / "<b>", max_bytes="1GB", max_items=1000, max_age="2h", ttl=90, compress=True)
    cached = memory.cache(double)
    assert [cached(1), cached(1), cached(2)] == [2, 2, 4]
    text = shown(memory._repr_html_())
    assert "&lt;b&gt;" in text
    assert "<b>" not in text.replace("<b>Memory</b>", "")
    for value in ("1 GB", "1,000", "120 min", "90 s", "True"):
        assert f"<td>{value}</td>" in text
    assert re.search(r'double</td><td class="number">1</td><td class="number">2</td>', text)


def test_a_memory_shows_no_secret_and_reads_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook is passed on; and a store may be far away."""
    store = TransientStore()
    memory = Memory(store=store, sign=b"a secret of 20 bytes")
    for name in ("get", "scan"):
        monkeypatch.setattr(TransientStore, name, None)
    assert "a secret" not in memory._repr_html_()
    assert "Store" in shown(memory._repr_html_())
    assert "nowhere" in shown(Memory(None)._repr_html_())
    far = Memory(tmp_path / "cache")
    far._repr_html_()
    assert not (tmp_path / "cache").exists()


def test_figures_of_a_function_are_shown() -> None:
    """Those that its text has."""
    cached = Memory(store=TransientStore()).cache(double)
    assert [cached(1), cached(1)] == [2, 2]
    assert "<dt>hits</dt><dd>1</dd>" in shown(cached.stats()._repr_html_())


def test_a_plan_shows_what_would_be_computed() -> None:
    """At most fifty of the calls; the rest is counted."""
    memory = Memory(store=TransientStore())
    cached = memory.cache(double)
    assert cached(1) == 2
    text = shown(memory.plan(cached, [1, 2])._repr_html_())
    assert "1 of 2 calls would be computed" in text
    assert "double(2)" in text
    assert "double(1)" not in text
    many = Plan(tuple(PlannedCall(f"f('<{n}>')", False, None) for n in range(60)))
    text = shown(many._repr_html_())
    assert text.count("<tr><td") == 50
    assert "&lt;49&gt;" in text
    assert "and 10 more" in text
    assert "<table" not in Plan(())._repr_html_()
