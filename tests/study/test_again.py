"""Run All by papermill on a toy step: once carried out, then only shown."""

import base64
import os
from pathlib import Path

import fake_study
import nbformat
import papermill
import pytest
from papermill.exceptions import PapermillExecutionError

from phi_kit.core.finished_run import RunFolder

HERE = Path(__file__).resolve()
CELLS = [
    'STUDY = "quickstart"\nDOMAIN = "math"\nITEMS = 3\nREDO = False',
    "import fake_study\nparams = fake_study.Pick.from_notebook(globals())\nparams",
    "run = fake_study.run_with_figure(params)\nrun.table",
    "run.figure",
    "print(run.flow, run.result['kept'], run.target.name)",
    "run.run_folder.table('other')",
]


@pytest.fixture
def run_all(runs, tmp_path, monkeypatch):
    """Execute the toy's notebook; the outputs of its cells."""
    path = os.pathsep.join(map(str, (HERE.parents[2], HERE.parents[1])))
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.chdir(tmp_path)
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    cells[0].metadata["tags"] = ["parameters"]
    book = nbformat.v4.new_notebook(
        cells=cells,
        metadata={
            "kernelspec": {"name": "python3", "display_name": "", "language": "python"}
        },
    )
    nbformat.write(book, "toy.ipynb")

    def execute(**values):
        done = papermill.execute_notebook(
            "toy.ipynb", "out.ipynb", values, progress_bar=False, kernel_name="python3"
        )
        return [cell["outputs"] for cell in done.cells if cell["source"] in CELLS]

    return execute


def texts(outputs):
    return "".join(
        one.get("text", "") or one["data"].get("text/plain", "") for one in outputs
    )


def picture(outputs):
    (shown,) = outputs
    return base64.b64decode(shown["data"]["image/png"])


def parameters_are_a_table_and_not_one_long_line(outputs):
    (shown,) = outputs
    plain, page = (shown["data"][kind] for kind in ("text/plain", "text/html"))
    assert "* items          4" in plain.splitlines()
    assert "  domain         'math'" in plain.splitlines()
    assert max(map(len, plain.splitlines())) < 100
    assert "<b>items</b>" in page
    assert "<td style='text-align:left'>domain</td>" in page


@pytest.mark.slow
def test_run_all_carries_a_step_out_once(run_all, runs):
    first = run_all()
    folder = RunFolder.of("quickstart", fake_study.Pick.STEP, domain="math")
    result = folder.result
    assert "01_pick_domain" not in texts(first[2])
    again = run_all()
    # The same result, said to be the one of before; the rest looks the same.
    assert RunFolder(folder.path).result == result
    assert "nothing has changed: this is that result" in texts(again[2])
    assert again[2][-1]["data"]["text/html"] == first[2][-1]["data"]["text/html"]
    assert [texts(one) for one in again[4:]] == [texts(one) for one in first[4:]]
    assert texts(again[4]) == "read 4 = kept 3 + dropped 1 too long 3 01_pick_domain\n"
    assert picture(again[3]).startswith(b"\x89PNG")
    assert picture(again[3]) == folder.file("figures/line.png").read_bytes()

    changed = run_all(ITEMS=4)
    parameters_are_a_table_and_not_one_long_line(changed[1])
    assert "runs again (items is 4, was 3)" in texts(changed[2])
    assert RunFolder(folder.path).manifest["params"]["items"] == 4
    assert RunFolder(folder.path.with_name("01_pick_domain.old")).result == result

    before = RunFolder(folder.path).result
    forced = run_all(ITEMS=4, REDO=True)
    assert "runs again (REDO was asked for)" in texts(forced[2])
    assert RunFolder(folder.path).result != before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (
            CELLS[2],
            "StoppedError: 01_pick_domain was stopped; 131 samples are kept in the "
            "ledger\n  to do: run the cell again, or the same command: it carries on "
            "from there",
        ),
        (
            "import signal, time\nsignal.raise_signal(signal.SIGINT)\ntime.sleep(60)",
            "Stopped: what was sampled is in the ledger; run the cell again",
        ),
    ],
    ids=["step", "another cell"],
)
def test_an_interrupted_cell_ends_in_a_sentence(run_all, runs, monkeypatch, cell, said):
    monkeypatch.setenv("TOY_INTERRUPT", "1")
    book = nbformat.read("toy.ipynb", 4)
    book.cells[2]["source"] = cell
    nbformat.write(book, "toy.ipynb")
    with pytest.raises(PapermillExecutionError):  # without a person it is a failure
        run_all()
    errors = [
        one.traceback
        for written in nbformat.read("out.ipynb", 4).cells
        for one in written.get("outputs", [])
        if one.output_type == "error"
    ]
    assert errors == [[said]]
    assert not list(runs.rglob("manifest.json"))
