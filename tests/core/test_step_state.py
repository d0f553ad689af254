"""Whether a step is finished, what a run replaces, and what an interrupt keeps."""

import json
import os

import fake_study
import pytest
from fake_study import Bench, Edge, Pick

from phi_kit.core import sample_counts
from phi_kit.core.errors import RunError, StoppedError
from phi_kit.core.finished_run import MANIFEST, RunFolder, manifest_checksum
from phi_kit.core.step_run import open_run
from phi_kit.core.step_state import (
    outdated_upstream,
    run_folder_path,
    step_state,
    up_to_date,
)


def finish(params, **result):
    with open_run(params) as run:
        run.result = result
    return run.run_folder


@pytest.fixture
def toy(runs):
    return fake_study.run_with_figure(Pick()).run_folder


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name[0] != ".")


# --- once ---


def test_a_finished_step_is_opened_and_not_carried_out_again(toy, capsys):
    capsys.readouterr()
    again = fake_study.run_with_figure(Pick())
    assert again.result == toy.result
    assert again.table.equals(toy.table())
    assert again.figure._repr_png_() == toy.file("figures/line.png").read_bytes()
    assert str(again.flow) == "read 4 = kept 3 + dropped 1 too long"
    assert again.run_folder.path == again.target == toy.path
    assert again.inputs == {}
    said = capsys.readouterr().out
    assert said.startswith("01_pick_domain: finished on 20")
    assert "REDO = True" in said
    assert said.count("\n") == 1


def test_redo_is_no_part_of_the_outcome_and_does_it_again(toy):
    before = toy.result
    assert up_to_date(Pick(redo=True))
    again = fake_study.run_with_figure(Pick(redo=True))
    assert again.result != before
    assert "redo" not in again.run_folder.manifest["params"]
    assert up_to_date(Pick())


def test_what_finished_before_a_parameter_was_added_stays_up_to_date(toy):
    """It did what the parameter's first value says."""
    manifest = json.loads((toy.path / MANIFEST).read_text())
    del manifest["params"]["engine"], manifest["checksum"]
    manifest["checksum"] = manifest_checksum(manifest)
    (toy.path / MANIFEST).write_text(json.dumps(manifest))
    assert "engine" not in Pick().deciding()
    assert up_to_date(Pick())
    other = step_state(Pick(engine="transformers"))
    assert other.why == "engine is 'transformers', was 'auto'"
    assert step_state(Pick(items=4)).why == "items is 4, was 3"


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_replaced_result_is_told_of_and_kept_once(toy, capsys, monkeypatch, by_hand):
    if not by_hand:
        monkeypatch.setenv("PHI_KIT_HEADLESS", "1")
    (toy.path / "notebook.ipynb").write_text("{}")
    before = toy.result
    fake_study.run_with_figure(Pick(items=4))
    said = capsys.readouterr().out
    assert "01_pick_domain: runs again (items is 4, was 3)" in said
    assert "01_pick_domain.old" in said
    old = RunFolder(toy.path.with_name("01_pick_domain.old"))
    assert old.result == before
    assert old.damage == ""
    # Without a person the notebook in the folder is already the new run's.
    assert (old.path / "notebook.ipynb").exists() == by_hand
    fake_study.run_with_figure(Pick(items=5))
    assert RunFolder(old.path).manifest["params"]["items"] == 4
    assert names(toy.path.parent) == ["01_pick_domain", "01_pick_domain.old"]


def test_the_same_outcome_replaces_nothing(runs, capsys):
    finish(Pick(), found=1)
    finish(Pick(items=4), found=1)
    assert names(run_folder_path(Pick()).parent) == ["01_pick_domain"]
    finish(Pick(items=4), found=2)
    assert "REDO was asked for" in capsys.readouterr().out
    assert names(run_folder_path(Pick()).parent) == [
        "01_pick_domain",
        "01_pick_domain.old",
    ]


def test_a_failed_attempt_keeps_what_is_there_and_leaves_no_old(toy):
    with pytest.raises(KeyError), open_run(Pick(items=4)):
        raise KeyError
    assert up_to_date(Pick())
    assert names(toy.path.parent) == ["01_pick_domain"]


# --- stale and behind ---


def test_everything_below_a_changed_step_is_stale(runs):
    chain = [Pick(), Edge(), Bench()]
    for params in chain:
        finish(params, found=1)
    assert [step_state(params).kind for params in chain] == ["finished"] * 3
    finish(Pick(items=4), found=2)
    assert step_state(Pick()).why == "items is 3, was 4"
    assert step_state(Edge()).why == "math/01_pick_domain came out otherwise since"
    assert step_state(Bench()).kind == "stale"
    assert "math/03_filter_edge is not up to date" in step_state(Bench()).why
    # What it reads is the same, so running it alone would change nothing.
    assert up_to_date(Bench())
    assert "math/01_pick_domain came out otherwise since" in outdated_upstream(Bench())
    finish(Pick(), found=1)
    assert [step_state(params).kind for params in chain] == ["finished"] * 3


def test_a_step_whose_upstream_is_gone_is_stale(runs):
    for params in (Pick(), Edge(), Bench()):
        finish(params)
    (run_folder_path(Pick()) / MANIFEST).unlink()
    assert step_state(Pick()).kind == "missing"
    assert "have not finished: math/01_pick_domain" in step_state(Edge()).why
    assert "math/01_pick_domain is gone" in step_state(Bench()).why


# --- manifests ---

BROKEN = [
    ("", "it is not JSON"),
    ("{", "it is not JSON"),
    ("[" * 100_000, "it is not JSON"),
    ('{"params": ' + "9" * 5000 + "}", "it is not JSON"),
    ("[]", "valid dictionary"),
    ("[1]", "valid dictionary"),
    ("3", "valid dictionary"),
    ("null", "valid dictionary"),
    ('"params"', "valid dictionary"),
    ('{"params": []}', "params: Input should be a valid dictionary"),
    ('{"params": {}, "files": ["rows.parquet"]}', "files: Input should be"),
    ('{"params": {}, "files": {"rows.parquet": 3}}', "files.rows.parquet: Input"),
    ('{"params": {}, "files": {"../../x": "3"}}', "lies outside of its folder"),
    ('{"params": {}, "files": {"/etc/passwd": "3"}}', "lies outside of its folder"),
    ('{"params": {}, "result": 3}', "result: Input should be"),
    ('{"params": {}, "flow": 3}', "flow: Input should be"),
    ('{"params": {}, "flow": {"read": "x"}}', "flow.read: Input should be"),
    ('{"params": {}, "seconds": "long"}', "seconds: Input should be"),
    ('{"params": {}, "inputs": [1]}', "inputs: Input should be"),
    ('{"params": {}, "versions": 3}', "versions: Input should be"),
    ('{"params": {}, "finished": 3}', "finished: Input should be"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("text", "fault"), BROKEN, ids=lambda x: x[:24])
def test_a_broken_manifest_is_one_line(toy, text, fault):
    (toy.path / MANIFEST).write_text(text)
    with pytest.raises(RunError, match="no readable manifest") as caught:
        RunFolder(toy.path).manifest  # noqa: B018
    assert fault in caught.value.what
    assert "\n" not in caught.value.what
    assert not up_to_date(Pick())
    assert step_state(Pick()).kind == "stale"
    with pytest.raises(RunError):
        finish(Edge())
    assert fake_study.run_with_figure(Pick()).result  # and it is simply run again


def test_an_empty_manifest_finishes_nothing(toy):
    (toy.path / MANIFEST).write_text("{}")
    assert "digest: is missing" in step_state(Pick()).why
    with pytest.raises(RunError, match="digest: is missing"):
        finish(Edge())


@pytest.mark.parametrize("binary", [b"\xff\xfe", b"\x00", b"\x80"])
def test_a_manifest_of_other_bytes_is_one_line(toy, binary):
    (toy.path / MANIFEST).write_bytes(binary)
    assert "no readable manifest" in step_state(Pick()).why


@pytest.mark.parametrize(
    "change",
    [
        {"result": {"kept": 999}},
        {"params": {"study": "quickstart", "domain": "math", "items": 9}},
        {"digest": "0" * 16},
        {"files": {}},
        {"seconds": 1.0},
        {"more": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_manifest_changed_by_hand_is_noticed(toy, change):
    path = toy.path / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RunError, match="changed after the step had written it"):
        RunFolder(toy.path).result  # noqa: B018
    assert "changed after the step had written it" in step_state(Pick()).why


def test_a_manifest_written_otherwise_but_the_same_is_no_change(toy):
    path = toy.path / MANIFEST
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(manifest.items()))))
    assert up_to_date(Pick())


def test_a_manifest_of_an_earlier_version_is_stale(toy):
    path = toy.path / MANIFEST
    manifest = json.loads(path.read_text())
    del manifest["checksum"]
    path.write_text(json.dumps(manifest))
    assert step_state(Pick()).why == "an earlier version of the kit wrote it"
    assert RunFolder(toy.path).result["kept"] == 3


@pytest.mark.parametrize(
    ("how", "why"),
    [
        (lambda path: path.unlink(), "rows.parquet is gone"),
        (lambda path: os.truncate(path, 40), "rows.parquet has another size"),
        (lambda path: path.write_bytes(b""), "rows.parquet has another size"),
        (
            lambda path: path.write_bytes(path.read_bytes()[:-1] + b"x"),
            "rows.parquet was changed",
        ),
    ],
    ids=["gone", "truncated", "empty", "changed"],
)
def test_a_damaged_file_is_noticed_where_it_lies(toy, how, why):
    how(toy.path / "rows.parquet")
    assert step_state(Pick()).why == why
    assert fake_study.run_with_figure(Pick()).run_folder.damage == ""


# --- places ---


def test_what_stands_in_the_way_is_named(runs):
    runs.mkdir()
    (runs / "quickstart").write_text("a file")
    with pytest.raises(RunError, match="cannot write here: ") as caught:
        finish(Pick())
    assert caught.value.where.endswith("quickstart/math")


def test_missing_upstream_leaves_no_folder(runs):
    for begin in (lambda: finish(Edge()), lambda: Edge.from_notebook({})):
        with pytest.raises(
            RunError, match=r"not finished: math/01_pick_domain"
        ) as caught:
            begin()
        assert "notebooks/01_pick_domain.ipynb" in caught.value.todo
        assert not runs.exists()


# --- interrupts ---


def interrupted(*, samples=0, training=False):
    """What is said when a step is stopped after so many samples."""
    with pytest.raises(StoppedError) as caught:
        stop_in_the_middle(samples, training)
    return caught.value


def stop_in_the_middle(samples, training):
    with open_run(Pick()) as run:
        sample_counts.record_cached(samples)
        if training:
            run.work.mkdir()
        raise KeyboardInterrupt


def test_an_interrupt_says_what_is_kept(runs):
    stopped = interrupted(samples=131)
    assert isinstance(stopped, KeyboardInterrupt)
    assert not isinstance(stopped, Exception)
    assert stopped._render_traceback_() == [
        "StoppedError: 01_pick_domain was stopped; 131 samples are kept in the ledger\n"
        "  to do: run the cell again, or the same command: it carries on from there"
    ]
    assert step_state(Pick()).kind == "missing"
    assert not list(runs.rglob("*.partial"))


def test_an_interrupted_training_says_so(runs):
    said = str(interrupted(samples=1, training=True))
    assert "1 sample is kept in the ledger and training is kept up to its last" in said


def test_an_interrupt_without_a_ledger_promises_nothing(runs, monkeypatch):
    monkeypatch.setenv("PHI_KIT_LEDGER", "off")
    assert "2 samples are lost: there is no ledger" in str(interrupted(samples=2))


def test_an_interrupt_of_nothing_loses_nothing(runs):
    assert "nothing is lost" in str(interrupted())
