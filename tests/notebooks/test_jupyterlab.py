"""Run All in a real JupyterLab, in a real browser.

Needs Chromium with its driver, and selenium: `pip install selenium`.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["-p", "DEV_ITEMS", "4", "-p", "TEST_ITEMS", "4", "-p", "SAMPLES", "1"]

pytestmark = pytest.mark.lab


def wait(ready: Callable[[], object], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.5)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Run folders in which step 1 has finished, at a toy size."""
    notebook = ROOT / "notebooks" / "01_pick_domain.ipynb"
    done = subprocess.run(
        [sys.executable, "-m", "papermill", str(notebook), "out.ipynb", *SMALL],
        env={**os.environ, "PHI_KIT_RUNS": str(tmp_path / "runs")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return tmp_path / "runs"


@pytest.fixture
def lab(runs: Path) -> Iterator[str]:
    """The address of a JupyterLab that serves the notebooks."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [
        "--no-browser",
        "--allow-root",
        f"--port={port}",
        "--IdentityProvider.token=",
    ]
    words += ["--LabApp.expose_app_in_browser=True", f"--ServerApp.root_dir={ROOT}"]
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *words],
        env={**os.environ, "PHI_KIT_RUNS": str(runs)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return urllib.request.urlopen(f"{address}/api").status == 200
        except OSError:
            return False

    try:
        wait(answers, seconds=60)
        yield address
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def browser(tmp_path: Path):
    """A headless Chromium."""
    webdriver = pytest.importorskip("selenium.webdriver")
    if not shutil.which("chromedriver"):
        pytest.skip("no chromedriver")
    options = webdriver.ChromeOptions()
    flags = ("headless", "no-sandbox", "disable-gpu", "disable-background-networking")
    for flag in (
        *flags,
        "window-size=1400,2200",
        f"user-data-dir={tmp_path / 'chrome'}",
    ):
        options.add_argument(f"--{flag}")
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


def test_run_all_writes_the_same_run_folder(lab, browser, runs, tmp_path):
    source = ROOT / "notebooks" / "02_collect_seeds.ipynb"
    before = source.read_bytes()
    browser.set_script_timeout(240)
    browser.get(f"{lab}/lab/tree/notebooks/{source.name}?reset")
    done = runs / "quickstart" / "math" / "02_collect_seeds" / "manifest.json"
    try:
        wait(
            lambda: browser.execute_script(
                "return !!window.jupyterapp && !!window.jupyterapp.shell.currentWidget"
                " && !!window.jupyterapp.shell.currentWidget.sessionContext"
                " && !!window.jupyterapp.shell.currentWidget.sessionContext.session"
                "?.kernel"
            ),
            seconds=90,
        )
        browser.execute_async_script(
            "window.jupyterapp.commands.execute('notebook:run-all-cells')"
            ".then(arguments[0], arguments[0])"
        )
        wait(done.is_file, seconds=120)
        browser.save_screenshot(os.environ.get("SHOT", str(tmp_path / "lab.png")))
    finally:
        source.write_bytes(before)  # JupyterLab may have saved the outputs
    assert json.loads(done.read_text())["flow"]["kept"] > 0
    assert not browser.find_elements(
        "css selector", ".jp-RenderedText[data-mime-type*=error]"
    )
