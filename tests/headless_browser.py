"""A headless Chromium for tests, and axe, which looks for what shuts people out.

Needs Chromium with its driver, and selenium: `pip install selenium`. axe-core is a
file: `npm pack axe-core`, unpack it, and name its `axe.min.js` in `AXE_CORE`.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

FLAGS = ("headless", "no-sandbox", "disable-gpu", "disable-background-networking")


@contextmanager
def chromium(folder: Path, *, size: str = "1400,2200") -> Iterator:
    """A browser with a profile of its own below `folder`."""
    webdriver = pytest.importorskip("selenium.webdriver")
    if not shutil.which("chromedriver"):
        pytest.skip("no chromedriver")
    options = webdriver.ChromeOptions()
    for flag in (*FLAGS, f"window-size={size}", f"user-data-dir={folder / 'chrome'}"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield driver
    finally:
        driver.quit()


def prefer(driver, scheme: str, *, width: int, height: int = 900) -> None:
    """Show pages as a reader with a light or dark screen of this width sees them."""
    sizes = {"width": width, "height": height, "deviceScaleFactor": 1}
    sizes["mobile"] = width < 600
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", sizes)
    wanted = {"name": "prefers-color-scheme", "value": scheme}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [wanted]})


def violations(driver) -> list[str]:
    """What axe finds on the page that is open; skips the test without axe."""
    path = Path(os.environ.get("AXE_CORE") or "axe.min.js")
    if not path.is_file():
        pytest.skip("no axe-core: name its axe.min.js in AXE_CORE")
    driver.set_script_timeout(120)
    driver.execute_script(path.read_text(encoding="utf-8"))
    return driver.execute_async_script(
        "const done = arguments[0];"
        "axe.run(document).then(found => done(found.violations.flatMap("
        "one => one.nodes.map(node => `${one.id}: ${node.html.slice(0, 120)}`))))"
    )
