"""A student's folder in a real JupyterLab: seven notebooks, Run All, no model.

Needs what `lab_browser` needs. `SHOTS` names a folder for screenshots.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import headless_browser
import pytest
from lab_browser import RUN_ALL, WIDGET, alarms, opened, outputs, run_all, served, wait

from phi_kit.course.workshop_folder import build_workshop

NAMES = [path.stem for path in sorted(Path(__file__).parents[2].glob("notebooks/0*"))]
WIDTHS = (800, 1280)

pytestmark = pytest.mark.lab


def offline(folder: Path) -> dict[str, str]:
    """An environment with run folders of its own, and nothing from elsewhere."""
    return {
        "PHI_KIT_RUNS": str(folder / "runs"),
        "PHI_KIT_CACHE": str(folder / "cache"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "HF_HUB_OFFLINE": "1",
        "PIP_NO_INDEX": "1",
    }


@pytest.fixture(scope="module")
def student(tmp_path_factory) -> Path:
    """The folder that a student is handed."""
    folder = tmp_path_factory.mktemp("workshop") / "ours"
    build_workshop(folder)
    return folder / "student"


@pytest.fixture(scope="module")
def lab(student, tmp_path_factory) -> Iterator[str]:
    """`phi-kit lab` in it."""
    with served(student, **offline(tmp_path_factory.mktemp("begun"))) as address:
        yield address


@pytest.fixture
def browser(tmp_path: Path):
    """A headless Chromium."""
    with headless_browser.chromium(tmp_path) as driver:
        yield driver


def shot(browser, name: str, tmp_path: Path) -> None:
    folder = Path(os.environ.get("SHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    browser.save_screenshot(str(folder / f"{name}.png"))


def console_errors(browser) -> list[str]:
    found = browser.get_log("browser")
    return [one["message"] for one in found if one["level"] == "SEVERE"]


def add_to_first_cell(browser, line: str) -> None:
    """What a reader types below the parameters."""
    browser.execute_script(
        f"const cells = [...{WIDGET}.content.model.cells];"
        "const first = cells.find(c => c.type === 'code').sharedModel;"
        "first.setSource(first.getSource() + '\\n' + arguments[0]);",
        line,
    )


def test_the_start_page_opens_and_leads_to_every_notebook(lab, browser, tmp_path):
    browser.get(lab)
    page = "document.querySelector('.jp-MarkdownViewer')"
    words = f"return {page}?.innerText ?? ''"
    wait(lambda: "Start here" in browser.execute_script(words), seconds=180)
    links = f"return [...{page}.querySelectorAll('a')].map(a => decodeURI(a.href))"
    found = browser.execute_script(links)
    assert all(any(f"{name}.ipynb" in link for link in found) for name in NAMES)
    shot(browser, "start", tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_run_all_is_green_and_its_figures_say_what_they_show(
    lab, browser, tmp_path, name
):
    opened(browser, f"{lab}/lab/tree/notebooks/{name}.ipynb?reset")
    run_all(browser)
    shown = outputs(browser)
    assert not alarms(shown)
    assert "no model runs" in str(shown)
    images = "return [...document.querySelectorAll('.jp-OutputArea-output img')]"
    alts = browser.execute_script(f"{images}.map(image => image.alt)")
    assert any("no model ran." in alt for alt in alts), alts  # the signature figure
    assert all(re.search(r"\d", alt) for alt in alts), alts
    for width in WIDTHS:
        browser.set_window_size(width, 1600)
        browser.execute_script(f"{images}[0].scrollIntoView()")
        time.sleep(1)
        shot(browser, f"{name}_{width}", tmp_path)
    assert not console_errors(browser)


def test_a_typo_in_a_parameter_shows_the_hint(lab, browser, tmp_path):
    opened(browser, f"{lab}/lab/tree/notebooks/01_pick_domain.ipynb?reset")
    add_to_first_cell(browser, "DEV_ITEM = 8")
    run_all(browser)
    (fault,) = alarms(outputs(browser))
    assert "did you mean 'dev_items'?" in str(fault)
    words = "return document.querySelector('.jp-Notebook').innerText"
    seen = browser.execute_script(words)
    assert "did you mean 'dev_items'?" in seen
    assert "Traceback" not in seen
    shot(browser, "typo", tmp_path)


def test_an_interrupt_is_one_sentence_and_run_all_then_finishes(
    student, browser, tmp_path
):
    """In a notebook in the middle, begun cold: what it reads is replayed first."""
    with served(student, **offline(tmp_path)) as address:
        opened(browser, f"{address}/lab/tree/notebooks/03_filter_edge.ipynb?reset")
        browser.execute_script(RUN_ALL)
        wait(lambda: "from the recording" in str(outputs(browser)), seconds=300)
        browser.execute_async_script(
            f"{WIDGET}.sessionContext.session.kernel.interrupt()"
            ".then(arguments[0], arguments[0])"
        )
        wait(lambda: alarms(outputs(browser)), seconds=120)
        (fault,) = alarms(outputs(browser))
        assert "run the cell again" in str(fault)
        assert len(fault["traceback"]) == 1
        shot(browser, "interrupted", tmp_path)
        run_all(browser)
        assert not alarms(outputs(browser))
        assert "no model ran." in str(outputs(browser))
