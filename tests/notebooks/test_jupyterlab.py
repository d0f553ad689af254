"""Run All in a real JupyterLab, in a real browser.

Needs what `lab_browser` needs. The tests of finished notebooks run the smoke study
first, some minutes; `PHI_KIT_LAB_RUNS` names a folder in which it is finished already.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import headless_browser
import nbformat
import pytest
from lab_browser import RUN_ALL, WIDGET, alarms, opened, outputs, run_all, served, wait

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["-p", "DEV_ITEMS", "4", "-p", "TEST_ITEMS", "4", "-p", "SAMPLES", "1"]

pytestmark = pytest.mark.lab


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
    with served(ROOT, PHI_KIT_RUNS=str(runs)) as address:
        yield address


@pytest.fixture
def browser(tmp_path: Path):
    """A headless Chromium."""
    with headless_browser.chromium(tmp_path) as driver:
        yield driver


FINISHED = [
    *(f"math/{name}" for name in (
        "01_pick_domain", "02_collect_seeds", "03_filter_edge", "04_probe_sft",
        "05_synthesize",
    )),
    "06_expand_domains",
    "07_benchmark",
]  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """Runs in which the smoke study has finished."""
    if given := os.environ.get("PHI_KIT_LAB_RUNS"):
        return Path(given)
    runs = tmp_path_factory.mktemp("finished")
    words = ["-m", "phi_kit", "run", str(ROOT / "params" / "smoke.yaml")]
    environment = {**os.environ, "PHI_KIT_RUNS": str(runs)}
    subprocess.run([sys.executable, *words], env=environment, cwd=ROOT, check=True)
    return runs


@pytest.fixture
def notebooks(finished: Path, tmp_path: Path) -> Iterator[str]:
    """A JupyterLab over copies of the study's notebooks, without their outputs."""
    for name in FINISHED:
        notebook = nbformat.read(finished / "smoke" / name / "notebook.ipynb", 4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        nbformat.write(notebook, tmp_path / f"{Path(name).name}.ipynb")
    with served(tmp_path, PHI_KIT_RUNS=str(finished)) as address:
        yield address


@pytest.mark.parametrize("width", [800, 1280])
def test_run_all_on_a_finished_notebook_shows_its_result(
    notebooks, browser, finished, tmp_path, width
):
    browser.set_window_size(width, 2000)
    shots = Path(os.environ.get("SHOTS", tmp_path))
    for name in FINISHED:
        manifest = finished / "smoke" / name / "manifest.json"
        before = manifest.read_bytes()
        stem = Path(name).name
        opened(browser, f"{notebooks}/lab/tree/{stem}.ipynb?reset")
        run_all(browser)
        shown = outputs(browser)
        assert not alarms(shown), (name, alarms(shown))
        figures = [one for one in shown if "image/png" in str(one.get("data"))]
        assert figures, name
        assert manifest.read_bytes() == before  # nothing was worked out again
        browser.execute_script(
            "document.querySelector('.jp-OutputArea-output img')?.scrollIntoView()"
        )
        time.sleep(1)
        browser.save_screenshot(str(shots / f"{stem}_{width}.png"))


def test_a_changed_value_runs_and_an_interrupt_is_one_sentence(
    notebooks, browser, finished, tmp_path
):
    opened(browser, f"{notebooks}/lab/tree/03_filter_edge.ipynb?reset")
    # The injected cell stands after the parameters.
    browser.execute_script(
        f"const cells = [...{WIDGET}.content.model.cells];"
        "const last = cells.filter(c => c.type === 'code')[1];"
        "last.sharedModel.setSource(last.sharedModel.getSource() + "
        "'\\nTEMPERATURE = 0.9\\n');"
    )
    browser.execute_script(RUN_ALL)
    running = "seeds, round"
    wait(lambda: running in str(outputs(browser)), seconds=120)
    time.sleep(2)
    browser.execute_async_script(
        f"{WIDGET}.sessionContext.session.kernel.interrupt()"
        ".then(arguments[0], arguments[0])"
    )
    wait(lambda: alarms(outputs(browser)), seconds=60)
    time.sleep(2)
    found = alarms(outputs(browser))
    errors = [one for one in found if one["output_type"] == "error"]
    assert len(found) == len(errors) == 1, found
    assert "run the cell again" in str(errors[0]), errors
    assert len(errors[0]["traceback"]) == 1
    browser.save_screenshot(
        str(Path(os.environ.get("SHOTS", tmp_path)) / "interrupted.png")
    )
    assert (finished / "smoke" / "math" / "03_filter_edge" / "manifest.json").is_file()


def test_run_all_writes_the_same_run_folder(lab, browser, runs, tmp_path):
    source = ROOT / "notebooks" / "02_collect_seeds.ipynb"
    before = source.read_bytes()
    done = runs / "quickstart" / "math" / "02_collect_seeds" / "manifest.json"
    try:
        opened(browser, f"{lab}/lab/tree/notebooks/{source.name}?reset")
        run_all(browser)
        wait(done.is_file, seconds=120)
        browser.save_screenshot(os.environ.get("SHOT", str(tmp_path / "lab.png")))
    finally:
        source.write_bytes(before)  # JupyterLab may have saved the outputs
    assert json.loads(done.read_text())["flow"]["kept"] > 0
    assert not browser.find_elements(
        "css selector", ".jp-RenderedText[data-mime-type*=error]"
    )
