"""Pages as text: values stay values, data comes back as it was, files appear whole."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightwork.errors import InvalidOption
from lightwork.pictures import charts, document, parts, timeline
from lightwork.pictures.charts import Series
from lightwork.pictures.markup import Markup, element, joined
from lightwork.pictures.timeline import Lane, Span


class Reader(HTMLParser):
    """What a browser would see: elements, texts and scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "input", "br"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open[-1] if self._open else "", []).append(data)


texts = st.one_of(st.text(), st.sampled_from(["</script>", "<!--", "]]>", "&amp;", '"', "<b>", "\u2028"]))


@given(texts, texts)
@settings(deadline=None)
def test_texts_and_attributes_are_escaped(text: str, attribute: str) -> None:
    """What an HTML parser reads is the text again, and no element more than was made."""
    page = Reader(element("p", text, title=attribute))
    assert [name for name, _ in page.elements] == ["p"]
    assert page.elements[0][1]["title"] == attribute
    # Parsers of HTML turn line ends and NUL into something else; nothing else may change.
    assert "".join(page.texts.get("p", [])) == text


def test_what_is_markup_stays_markup() -> None:
    """And numbers are written as they are."""
    assert joined([Markup("<b>"), "<i>", 3, 0.5, None]) == "<b>&lt;i&gt;30.5"
    assert element("input", id="a", hidden=True, checked=False) == '<input id="a" hidden>'
    assert element("td", "x", data_task=3, class_=None) == '<td data-task="3">x</td>'


@given(st.recursive(texts | st.integers() | st.booleans(), lambda inner: st.lists(inner), max_leaves=5))
@settings(deadline=None, max_examples=50)
def test_data_comes_back_as_it_was(data: Any) -> None:
    """From a script element that no value can close."""
    page = Reader(document.document("<title>", data=data))
    (found,) = [attributes for name, attributes in page.elements if attributes.get("id") == "data"]
    assert found["type"] == "application/json"
    scripts = page.texts["script"]
    assert len([name for name, _ in page.elements if name == "script"]) == 2
    assert json.loads(scripts[0]) == data


def test_a_page_allows_its_own_script_and_nothing_else() -> None:
    """Its policy names the script by its digest; no address of any other place is in the page."""
    page = document.document("x", data=[])
    policy = re.search(r"sha256-([^&]*)&#x27;", page)
    assert policy is not None
    script = page.rsplit("<script>", 1)[1].split("</script>")[0]
    assert base64.b64decode(policy[1]) == hashlib.sha256(script.encode()).digest()
    assert "default-src &#x27;none&#x27;" in page
    assert "http://" not in page
    assert "https://" not in page


def test_a_page_without_a_drawing_has_no_script() -> None:
    """Nor has a fragment for a notebook."""
    assert "<script" not in document.document("x", "text")
    assert "<script" not in document.fragment("text")


@pytest.mark.parametrize(
    "name", ["run.json", "run", "", ".html.gz", b"x.html", 3, "no/folder/x.html", "a\0.html"]
)
def test_a_path_that_cannot_be_is_refused(name: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is written; the message says what to give."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidOption, match="give"):
        document.save(name, "page")
    assert list(tmp_path.iterdir()) == []


def test_a_page_replaces_an_older_one(tmp_path: Path) -> None:
    """Whole; a text that UTF-8 cannot say is no reason to fail."""
    for text in ("one", "two \ud800"):
        document.save(tmp_path / "x.HTML", text)
    assert (tmp_path / "x.HTML").read_text() == "two ?"
    assert [path.name for path in tmp_path.iterdir()] == ["x.HTML"]


# The timeline

moments = st.integers(0, 10**12)


@st.composite
def spans(draw: st.DrawFn) -> list[Span]:
    """Spans of one lane, by time."""
    found, last = [], 0
    for _ in range(draw(st.integers(0, 20))):
        begin = last + draw(moments)
        last = begin + draw(moments)
        count = draw(st.integers(0, 3))
        busy = (last - begin) * 1e-9 * (1.0 if count == 1 else draw(st.floats(0, 1)))
        first, text = draw(st.integers(-1, 10**6)), draw(texts)
        end = -1 if draw(st.booleans()) else first + draw(st.integers(0, 9))
        error = draw(st.sampled_from(["", "ValueError"]))
        found.append(Span(begin * 1e-9, last * 1e-9, busy, count, first, end, text, error))
    return found


@given(st.lists(spans(), max_size=3))
@settings(deadline=None, max_examples=50)
def test_the_data_of_a_timeline_tells_all_of_it(lanes: list[list[Span]]) -> None:
    """What the script unpacks are the spans again, to the nanosecond."""
    told = timeline.timeline_data([Lane(f"worker {n}", "run", lane) for n, lane in enumerate(lanes)], 1.5)
    assert told["wall"] == 1_500_000_000
    for lane, columns in zip(lanes, told["lanes"], strict=True):
        now, expected = 0, 0
        for place, span in enumerate(lane):
            begin = now + columns["gaps"][place]
            now = begin + columns["lengths"][place]
            index = expected + columns["skips"][place]
            expected = index + 1
            assert begin == pytest.approx(span.begin * 1e9, abs=1)
            assert now == pytest.approx(span.end * 1e9, abs=1)
            assert (index, told["texts"][columns["texts"][place]]) == (span.first, span.text)
            assert columns["errors"].get(place, "") == span.error
            count, busy, end = columns["counts"].get(place, (1, now - begin, index))
            assert count == span.tasks
            assert span.tasks == 1 or end == (span.first + span.tasks - 1 if span.last < 0 else span.last)
            assert busy == pytest.approx(span.busy * 1e9, abs=2)


def test_spans_that_overlap_by_rounding_are_pushed_apart() -> None:
    """The script relies on their order."""
    told = timeline.timeline_data([Lane("x", "run", [Span(0, 2, 2), Span(1.5, 1.8, 0.3), Span(3, 4, 1)])], 4)
    assert told["lanes"][0]["gaps"] == [0, 0, 1_000_000_000]
    assert told["lanes"][0]["lengths"] == [2_000_000_000, 0, 1_000_000_000]


@given(spans())
@settings(deadline=None, max_examples=20)
def test_the_small_drawing_is_well_formed(lane: list[Span]) -> None:
    """For any spans; its size depends on its columns, not on them."""
    wall = lane[-1].end if lane else 0.0
    page = timeline.drawing([Lane("worker <0>", "run", lane)] * 33, wall)
    assert len([name for name, _ in Reader(page).elements if name == "svg"]) == 32
    assert "and 1 more" in page
    assert len(page) < 32 * 12_000


def test_the_small_drawing_is_as_dark_as_it_was_busy() -> None:
    """The first half is busy, the second half every fourth part of it."""
    page = timeline.drawing([Lane("x", "run", [Span(0, 1, 1.0), Span(1, 2, 0.25)])], 2)
    assert re.findall(r'd="M(\d+) 0h(\d+)v1h-\d+z" fill-opacity="([\d.]+)"', page) == [
        ("200", "200", "0.4"),
        ("0", "200", "1"),
    ]


# Charts and tables

series = st.lists(
    st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e15)), max_size=8).map(sorted),
    min_size=1,
    max_size=10,
)


@given(series)
@settings(deadline=None, max_examples=50)
def test_charts_are_well_formed(courses: list[list[tuple[float, float]]]) -> None:
    """For any figures: none lies outside of the picture, and none is lost among the others."""
    found = [Series(f"<{n}>", course) for n, course in enumerate(courses)]
    lines = charts.lines(found, 1e6, str, "title")
    areas = charts.areas(found, 0.0, 1e6, str, "title", ends=("then", "now"))
    for page in (lines, areas):
        drawn = [str(attributes["d"]) for name, attributes in Reader(page).elements if name == "path"]
        for path in drawn:
            places = re.findall(r"[MLH]([-\d.e]+)", path)
            assert all(0 <= float(place) <= 1000 for place in places), path
            heights = re.findall(r"V([-\d.e]+)|[ML][-\d.e]+ ([-\d.e]+)", path)
            assert all(-1 <= float(a or b) <= 201 for a, b in heights), path
    if len(courses) > 7:
        assert f"{len(courses) - 6} others" in areas


def test_areas_are_stacked() -> None:
    """The upper edge of the second is the sum; a value holds until the next moment."""
    one, two = Series("one", [(0, 1), (5, 2)]), Series("two", [(5, 2)])
    page = charts.areas([one, two], 0, 10, str, "title", ends=("", ""))
    paths = [a["d"] for name, a in Reader(page).elements if name == "path" and a.get("class") != "grid"]
    assert paths == [
        "M0.0 150.0H500.0V100.0H1000.0V100.0V200.0H500.0V200.0H0.0Z",
        "M0.0 150.0H500.0V0.0H1000.0V0.0V100.0H500.0V150.0H0.0Z",
    ]


def test_rows_lead_to_tasks() -> None:
    """Where they are told to, also from the keyboard."""
    page = Reader(parts.table(("task", "call"), [(3, "<f>")], words=(1,), targets=[3]))
    assert ("tr", {"data-task": "3", "tabindex": "0"}) in page.elements
    assert "<f>" in page.texts["td"]
