"""Pages in a real browser: they draw themselves, move when asked to, and say nothing on the console."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightwork import Memory, Parallel, delayed
from lightwork.parallel import picture, traced
from lightwork.pictures.timeline import Lane, Span
from tests.unit.pictures.browser import Browser, browser

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"


def spin(seconds: float, text: str = "") -> float:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return seconds


def fail(text: str) -> None:
    raise ValueError(text)


def tiny(x: int) -> int:
    return x


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The page of a report, and that of the trace of the same call."""
    folder = tmp_path_factory.mktemp("pages")
    parallel = Parallel(2, "threads", trace=folder / "run.json", on_error="skip")
    calls = [delayed(spin)(0.004, HOSTILE) if i % 20 == 0 else delayed(tiny)(i) for i in range(800)]
    # The slowest is not the last: a window that shows it in the middle must not go beyond the end.
    parallel([*calls, delayed(fail)("no"), delayed(spin)(0.12), *[delayed(spin)(0.06)] * 3])
    parallel.report().save(folder / "report.html")
    trace = traced.read_trace(folder / "run.json")
    picture.save_page(folder / "trace.html", trace.report, title=trace.title, lanes=trace.lanes)
    memory = Memory(folder / "cache")
    for _ in range(2):
        memory.cache(spin)(0.01)
        memory.cache(tiny)(1)
    memory.stats().save(folder / "cache.html")
    return {path.stem: path for path in folder.glob("*.html")}


@pytest.mark.parametrize("name", ["report", "trace", "cache"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1200])
def test_a_page_stands_alone(
    chromium: Browser, pages: dict[str, Path], name: str, scheme: str, width: int
) -> None:
    """No word on the console, nothing loaded, no wider than the window, text apart from background."""
    chromium.open(pages[name], width=width, scheme=scheme)
    assert chromium.complaints() == []
    assert chromium.ask("performance.getEntriesByType('resource').length") == 0
    assert chromium.ask("document.documentElement.scrollWidth") <= width
    light = chromium.ask(
        "['color', 'backgroundColor'].map((name) => getComputedStyle(name === 'color' ?"
        " document.querySelector('main') : document.body)[name].match(/[0-9]+/g).slice(0, 3)"
        ".reduce((sum, part) => sum + Number(part), 0))"
    )
    text, back = light
    assert (text < 200 and back > 700) if scheme == "light" else (text > 600 and back < 120)


def test_what_is_drawn_can_be_seen(chromium: Browser, pages: dict[str, Path]) -> None:
    """Each lane has pixels of the colour of its kind."""
    chromium.open(pages["trace"])
    assert len(colours(chromium)) > 3


def colours(chromium: Browser) -> set[int]:
    """The opaque colours on the canvas."""
    found: list[int] = chromium.ask(
        "(() => { const canvas = document.querySelector('#timeline');"
        " const options = {willReadFrequently: true};"
        " const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', options);"
        " copy.drawImage(canvas, 0, 0);"
        " const data = copy.getImageData(0, 0, canvas.width, canvas.height).data;"
        " const seen = new Set();"
        " for (let i = 0; i < data.length; i += 4)"
        "   if (data[i + 3] === 255) seen.add(data[i] * 65536 + data[i + 1] * 256 + data[i + 2]);"
        " return [...seen]; })()"
    )
    return set(found)


def view(chromium: Browser) -> str:
    return chromium.text("#range")


def test_the_timeline_zooms_and_moves(chromium: Browser, pages: dict[str, Path]) -> None:
    """By buttons, wheel, keys, and a pull with the mouse; `all` shows all of it again."""
    chromium.open(pages["trace"])
    whole = view(chromium)
    assert whole.startswith("0 s to ")
    chromium.click("#closer")
    assert view(chromium) != whole
    before = view(chromium)
    chromium.press("#timeline", "\ue014")  # right
    assert view(chromium) != before
    before = view(chromium)
    chromium.mouse("mousePressed", 600, 40, button="left", buttons=1, clickCount=1)
    chromium.mouse("mouseMoved", 700, 40, button="left", buttons=1)
    chromium.mouse("mouseReleased", 700, 40, button="left")
    assert view(chromium) != before
    chromium.click("#all")
    assert view(chromium) == whole
    chromium.mouse("mouseWheel", 600, 40, deltaX=0, deltaY=-200, modifiers=2)
    assert view(chromium) != whole
    chromium.press("#timeline", "0")
    assert view(chromium) == whole
    chromium.click("#farther")
    assert view(chromium) == whole
    assert chromium.complaints() == []


def test_the_wheel_alone_scrolls_the_page(chromium: Browser, pages: dict[str, Path]) -> None:
    """Who reads on is not caught by the timeline."""
    chromium.open(pages["trace"])
    whole = view(chromium)
    chromium.mouse("mouseWheel", 600, 40, deltaX=0, deltaY=200)
    assert view(chromium) == whole


def test_a_slow_call_is_shown_and_named(chromium: Browser, pages: dict[str, Path]) -> None:
    """A click on its row zooms to it; the pointer on its bar tells what it was, elsewhere nothing."""
    chromium.open(pages["trace"])
    whole = view(chromium)
    index, figure, unit, call = chromium.text("tr[data-task]").split(maxsplit=3)
    chromium.click("tr[data-task]")
    assert view(chromium) != whole
    told = chromium.text("#tip")
    assert told.startswith(f"task {index}: {call}\n{figure} {unit}, from ")
    assert re.search(r" on, worker \d$", told)
    x = chromium.ask("document.querySelector('#timeline').clientWidth / 2")
    y = chromium.ask("document.querySelector('#tip').offsetTop") - 10
    chromium.point(x, 5)  # the axis
    assert chromium.ask("document.querySelector('#tip').hidden")
    chromium.point(x, y)
    assert chromium.text("#tip") == told
    assert chromium.complaints() == []


def test_a_finger_zooms_moves_and_asks(chromium: Browser, pages: dict[str, Path]) -> None:
    """Two fingers zoom, one moves; a tap tells what is there, and goes on telling it."""
    chromium.open(pages["trace"], width=400)
    whole = view(chromium)
    chromium.touch("touchStart", (150, 80), (250, 80))
    chromium.touch("touchMove", (100, 80), (300, 80))
    chromium.touch("touchEnd")
    zoomed = view(chromium)
    assert zoomed != whole
    chromium.touch("touchStart", (300, 80))
    chromium.touch("touchMove", (250, 80))
    chromium.touch("touchEnd")
    assert view(chromium) != zoomed
    chromium.click("tr[data-task]")
    told = chromium.text("#tip")
    x = chromium.ask("document.querySelector('#timeline').clientWidth / 2")
    y = chromium.ask("document.querySelector('#tip').offsetTop") - 10
    chromium.touch("touchStart", (150, 5))
    chromium.touch("touchEnd")
    assert chromium.ask("document.querySelector('#tip').hidden")
    chromium.touch("touchStart", (x, y))
    chromium.touch("touchEnd")
    assert chromium.text("#tip") == told
    assert chromium.complaints() == []


def test_the_filter_finds_calls_errors_and_numbers(chromium: Browser, pages: dict[str, Path]) -> None:
    """How many they are and how long they took; the others grow pale; Enter goes to the next."""
    chromium.open(pages["trace"])
    bright = colours(chromium)
    for wanted, count in (("tiny", "760"), ("VALUEERROR", "1"), ("#17", "1"), ("nothing like it", "0")):
        chromium.find("#filter").clear()
        chromium.press("#filter", wanted)
        assert chromium.text("#matches").startswith(f"{count} of 805 tasks, ")
    assert len(colours(chromium)) < len(bright)  # nothing is left that is not pale
    chromium.find("#filter").clear()
    whole = view(chromium)
    chromium.press("#filter", "valueerror\ue007")
    assert view(chromium) != whole
    assert "failed: ValueError" in chromium.text("#tip")
    chromium.click("#names button")
    assert chromium.text("#matches").startswith(("44 of", "760 of", "1 of"))
    assert chromium.complaints() == []


def test_texts_are_never_code(chromium: Browser, pages: dict[str, Path]) -> None:
    """What a task was called is shown as it is, in tables and below the pointer."""
    for name in ("report", "trace"):
        chromium.open(pages[name])
        assert "taken" not in chromium.driver.title
        assert chromium.ask("document.scripts.length") == 2
        assert chromium.ask("document.querySelectorAll('img').length") == 0
    chromium.press("#filter", "script\ue007")
    assert "</script>" in chromium.text("#tip")
    assert "taken" not in chromium.driver.title


def test_a_long_trace_opens_at_once(chromium: Browser, tmp_path: Path) -> None:
    """100,000 tasks in less than three seconds, from the address to the drawing; each can be found."""
    Parallel(2, trace=tmp_path / "run.json")(delayed(tiny)(i) for i in range(100_000))
    trace = traced.read_trace(tmp_path / "run.json")
    picture.save_page(tmp_path / "run.html", trace.report, title=trace.title, lanes=trace.lanes)
    begin = time.monotonic()
    chromium.open(tmp_path / "run.html")
    assert view(chromium)
    assert time.monotonic() - begin < 3
    begin = time.monotonic()
    chromium.press("#filter", "#77777\ue007")
    assert time.monotonic() - begin < 3
    assert chromium.text("#matches").startswith("1 of 100,000 tasks")
    assert chromium.text("#tip").startswith("task 77777: tiny(")
    assert chromium.complaints() == []


def test_a_trace_of_any_length_is_drawn_whole(chromium: Browser, tmp_path: Path) -> None:
    """A quarter of a million spans are joined, none is cut off: all tasks are counted, the last is found."""
    spans = [Span(i * 1e-3, i * 1e-3 + 5e-4, 5e-4, 1, i, text="f") for i in range(250_000)]
    lanes = traced.joined([Lane("worker 0", "run", spans)])
    assert len(lanes[0].spans) <= 200_000
    report = Parallel(1)
    report([])
    told = report.report()._replace(wall=250.0)
    picture.save_page(tmp_path / "long.html", told, lanes=lanes)
    chromium.open(tmp_path / "long.html")
    chromium.press("#filter", "249999\ue007")
    assert " of 250,000 tasks" in chromium.text("#matches")
    assert re.match(r"tasks 24999\d to 249999\n", chromium.text("#tip"))
    assert chromium.complaints() == []
