"""Run folders: whole or not there, whatever happens in between."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from fake_study import Edge, Pick

from phi_kit.core import thinking
from phi_kit.core.compute_record import note_compute
from phi_kit.core.errors import RunError
from phi_kit.core.finished_run import MANIFEST, RunFolder
from phi_kit.core.row_counts import RowCounts
from phi_kit.core.step_run import open_run
from phi_kit.core.step_state import up_to_date

HERE = Path(__file__).resolve().parent
PATH = os.pathsep.join(map(str, (HERE.parents[1], HERE.parent, HERE)))


def finish(params=None, *, rows=3):
    with open_run(params or Pick()) as run:
        run.save_rows(pd.DataFrame({"x": range(rows)}))
        (run.folder("deep/er") / "note.txt").write_text("kept")
        run.result = {"rows": rows}
    return run.run_folder


def tree(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file()
    }


def stray(folder):
    return [p.name for p in folder.rglob("*.partial")]


def start(code, runs, **options):
    """A process of its own that runs a toy step."""
    head = "import os, sys, time\nfrom test_step_run import *\n"
    environment = {**os.environ, "PHI_KIT_RUNS": str(runs), "PYTHONPATH": PATH}
    return subprocess.Popen(
        [sys.executable, "-c", head + code],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_a_finished_step_can_be_read(runs):
    folder = finish()
    assert folder.path == runs / "quickstart" / "math" / "01_pick_domain"
    assert folder.finished
    assert up_to_date(Pick())
    assert folder.table().x.tolist() == [0, 1, 2]
    assert (folder.folder("deep") / "er" / "note.txt").read_text() == "kept"
    assert folder.result == {"rows": 3}
    assert folder.manifest["params"]["items"] == 3
    assert set(folder.manifest["files"]) == {"rows.parquet", "deep/er/note.txt"}
    assert not stray(runs)


def test_an_exception_leaves_the_old_result_untouched(runs):
    folder = finish()
    before = tree(folder.path)
    with (
        pytest.raises(RunError, match="does not declare"),
        open_run(Pick(items=4)) as run,
    ):
        [run.save_rows(pd.DataFrame({"x": [9]})), run.read("nothing")]
    assert tree(folder.path) == before
    assert not stray(runs)


def test_lost_rows_are_found_before_the_old_result_goes(runs):
    before = tree(finish().path)
    with (
        pytest.raises(Exception, match="rows were lost"),
        open_run(Pick(items=4)) as run,
    ):
        run.flow = RowCounts(read=2, kept=1)
    assert tree(RunFolder.of("quickstart", Pick.STEP, domain="math").path) == before


def test_nothing_of_an_old_attempt_stays_but_the_notebook(runs):
    folder = finish()
    (folder.path / "notebook.ipynb").write_text("{}")
    with open_run(Pick(items=4)) as run:
        run.result = {}
    assert set(tree(folder.path)) == {"manifest.json", "notebook.ipynb"}


def test_a_full_disk_at_the_manifest_leaves_the_old_result(runs, monkeypatch):
    folder = finish()
    before = tree(folder.path)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="disk is full"):
        finish(Pick(items=4), rows=9)
    assert tree(folder.path) == before
    assert not stray(runs)


@pytest.mark.slow
def test_a_file_limit_reads_as_a_full_disk(runs):
    code = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
finish()
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    finish(Pick(items=4), rows=100_000)
except RunError as error:
    print(error)
"""
    out, err = start(code, runs).communicate(timeout=60)
    said, *message = out.splitlines()
    assert "runs again (items is 4, was 3)" in said
    assert message[0].startswith("the disk is full: "), err
    assert len(message) == 3
    folder = RunFolder.of("quickstart", Pick.STEP, domain="math")
    assert len(folder.table()) == 3
    assert not stray(runs)


@pytest.mark.slow
def test_kill_9_leaves_an_unfinished_step_and_the_next_run_recovers(runs):
    code = """
with open_run(Pick()) as run:
    run.save_rows(pd.DataFrame({"x": [1]}))
    print("working", flush=True)
    time.sleep(60)
"""
    process = start(code, runs)
    assert process.stdout.readline() == "working\n"
    # While it works, a second writer is told so.
    with pytest.raises(RunError, match="being written by another process"):
        finish()
    process.kill()
    process.wait()
    process.communicate()
    folder = RunFolder.of("quickstart", Pick.STEP, domain="math")
    assert not folder.finished
    assert stray(runs)
    with pytest.raises(RunError, match="run that step first"):
        folder.table()
    assert finish().finished
    assert not stray(runs)


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_killed_between_two_moves_it_is_unfinished(runs, monkeypatch, moved):
    finish()
    real, count = Path.replace, [0]

    def dying(self, target):
        if ".partial/" in str(self) and str(
            runs / "quickstart/math/01_pick_domain/"
        ) in str(target):
            count[0] += 1
            if count[0] > moved:
                raise SystemExit  # like a kill: no `except` of ours sees it
        return real(self, target)

    monkeypatch.setattr(Path, "replace", dying)
    with pytest.raises(SystemExit):
        finish(Pick(items=4))
    assert not RunFolder.of("quickstart", Pick.STEP, domain="math").finished
    monkeypatch.setattr(Path, "replace", real)
    assert finish(Pick(items=4)).finished


def test_upstream_must_have_finished(runs):
    with pytest.raises(
        RunError, match=r"not finished: math/01_pick_domain[\s\S]*01_pick_domain\.ipynb"
    ):
        finish(Edge())
    finish()
    finish(Edge())
    assert up_to_date(Edge())


def test_undeclared_reading_is_refused(runs):
    finish()
    with (
        pytest.raises(RunError, match="does not declare"),
        open_run(Pick()) as run,
    ):
        run.read(Edge.STEP)


def test_stale(runs, monkeypatch):
    assert not up_to_date(Pick())
    finish()
    finish(Edge())
    assert not up_to_date(Pick(items=4))  # another parameter
    finish()
    assert up_to_date(Edge())  # done again with the same outcome
    finish(rows=4)
    assert not up_to_date(Edge())  # another content upstream
    finish(Edge())
    monkeypatch.setattr(
        Edge, "external_digests", lambda self: {"model": "other weights"}
    )
    assert not up_to_date(Edge())


def test_a_study_is_only_a_place(runs):
    first, second = finish(), finish(Pick(study="other"))
    assert first.manifest["fingerprint"] == second.manifest["fingerprint"]


def test_a_missing_or_edited_file_is_noticed(runs):
    folder = finish()
    note = folder.path / "deep" / "er" / "note.txt"
    note.write_text("edited")
    with pytest.raises(
        RunError, match=r"note.txt is not what 01_pick_domain wrote[\s\S]*redo"
    ):
        folder.folder("deep")
    note.unlink()
    assert not up_to_date(Pick())
    with pytest.raises(RunError, match="wrote no 'other'"):
        folder.file("other")


def test_a_broken_manifest_is_unreadable_not_finished_by_luck(runs):
    folder = finish()
    (folder.path / MANIFEST).write_text('{"step":')
    with pytest.raises(RunError, match="no readable manifest"):
        RunFolder(folder.path).table()


def test_the_manifest_is_plain_json(runs):
    manifest = json.loads((finish().path / "manifest.json").read_text())
    assert {"params", "inputs", "files", "versions", "flow", "seconds"} <= set(manifest)


def test_the_manifest_says_in_what_the_models_computed(runs):
    assert json.loads((finish().path / MANIFEST).read_text())["compute"] is None
    with open_run(Pick(redo=True)) as run:
        note_compute("nf4-float32", {}, engine="vllm")
        note_compute("nf4-float32-bfloat16-products", {"float32": 80.0, "bf16": 160.0})
        run.save_rows(pd.DataFrame({"x": [1]}))
    assert run.run_folder.manifest["compute"] == {
        "precisions": ["nf4-float32", "nf4-float32-bfloat16-products"],
        "gflops_per_core": {"float32": 80.0, "bf16": 160.0},
        "engines": ["vllm"],
    }


def test_writing_where_one_may_not_is_one_clear_message(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path / "file" / "runs"))
    with pytest.raises(RunError, match="cannot write here"):
        finish()


def test_a_studys_own_thinking_tags_hold_while_its_step_runs(runs):
    params = Pick(thinking_tags=["<mull>", "</mull>"])
    with open_run(params) as run:
        run.save_rows(pd.DataFrame({"n": [1]}))
        assert thinking.visible("<mull>17</mull>18") == "18"
    assert thinking.visible("<mull>17</mull>18") == "<mull>17</mull>18"
