"""A real browser: Debian's Chromium, driven by selenium."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


def missing() -> str | None:
    """Why there is no browser here, ``None`` if there is one."""
    if find_spec("selenium") is None:
        return "selenium is not installed: pip install 'lightwork[check]'"
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            return f"{program} is not installed: python tools/browser.py, as root on Debian"
    return None


class Browser:
    """One window. Any: what scripts and selenium give."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, page: Path, *, width: int = 1200, scheme: str = "light") -> None:
        """Show a page in a window of this width, on a system that is light or dark."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.command("Emulation.setEmulatedMedia", features=[feature])
        self.command("Emulation.setTouchEmulationEnabled", enabled=width < 600)
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.driver.get_log("browser")  # what was said before
        self.driver.get(page.as_uri())
        self.settle()

    def command(self, name: str, **arguments: Any) -> Any:
        """A command of the developer protocol."""
        return self.driver.execute_cdp_cmd(name, arguments)

    def ask(self, expression: str) -> Any:
        """The value of an expression of JavaScript."""
        return self.driver.execute_script(f"return {expression}")

    def settle(self) -> None:
        """Wait until what was asked for is drawn: two frames later."""
        self.driver.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()));"
        )

    def find(self, selector: str) -> Any:
        """The first element that matches."""
        return self.driver.find_element("css selector", selector)

    def text(self, selector: str) -> str:
        """What is shown in an element."""
        text: str = self.find(selector).text
        return text

    def press(self, selector: str, keys: str) -> None:
        """Type into an element."""
        self.find(selector).send_keys(keys)
        self.settle()

    def click(self, selector: str) -> None:
        """Click on an element."""
        self.find(selector).click()
        self.settle()

    def point(self, x: float, y: float) -> None:
        """Move the pointer to a place of the timeline, counted from its upper left corner."""
        self.mouse("mouseMoved", x, y)

    def mouse(self, what: str, x: float, y: float, **more: Any) -> None:
        """A real event of the mouse, at a place of the timeline."""
        left, top = self._corner()
        self.command("Input.dispatchMouseEvent", type=what, x=left + x, y=top + y, **more)
        self.settle()

    def touch(self, what: str, *fingers: tuple[float, float]) -> None:
        """A real event of fingers, at places of the timeline."""
        left, top = self._corner()
        points = [{"x": left + x, "y": top + y, "id": number} for number, (x, y) in enumerate(fingers)]
        self.command("Input.dispatchTouchEvent", type=what, touchPoints=points)
        self.settle()

    def _corner(self) -> list[float]:
        corner: list[float] = self.ask(
            "(({left, top}) => [left, top])(document.querySelector('#timeline').getBoundingClientRect())"
        )
        return corner

    def complaints(self) -> list[str]:
        """What the console has said since the page was opened."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with an empty profile in `folder`. Skips the test, with the reason, where there is none."""
    if reason := missing():
        pytest.skip(reason)
    webdriver = import_module("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for switch in SWITCHES:
        if switch != "--no-sandbox" or os.geteuid() == 0:
            options.add_argument(switch)
    options.add_argument(f"--user-data-dir={folder}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield Browser(driver)
    finally:
        driver.quit()
