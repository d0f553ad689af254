"""Run folders of a replay: comparable with the real ones, and never over them."""

import pytest
from fake_study import Edge, Pick

from phi_kit.core.errors import RunError
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.replay_mode import REPLAY
from phi_kit.core.step_run import open_run
from phi_kit.core.step_state import up_to_date
from phi_kit.core.weight_records import RECORD, write_weight_record

WEIGHTS = "adapter_model.safetensors"


def real():
    with open_run(Pick()) as run:
        folder = run.folder("adapters/arm")
        (folder / WEIGHTS).write_bytes(b"weights")
        (folder / "adapter_config.json").write_text("{}")
        run.result = {"rows": 3}
    return run.run_folder


def replayed(weights):
    with open_run(Pick()) as run:
        folder = run.folder("adapters/arm")
        (folder / "adapter_config.json").write_text("{}")
        write_weight_record(folder, "adapter-1", weights)
        run.result = {"rows": 3}
    return run.run_folder


@pytest.fixture
def both(runs, tmp_path, monkeypatch):
    """The manifests of a step and of its replay in another folder."""
    first = real().manifest
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path / "other"))
    monkeypatch.setenv(REPLAY, "some.sqlite")
    digest = first["files"][f"adapters/arm/{WEIGHTS}"]
    return first, replayed({WEIGHTS: digest})


def test_a_replay_equals_what_it_repeats_and_says_so(both):
    first, again = both
    assert again.manifest["digest"] == first["digest"]
    assert again.manifest["fingerprint"] == first["fingerprint"]
    assert (first["replayed"], again.manifest["replayed"]) == (False, True)
    assert {path.name for path in again.folder("adapters/arm").iterdir()} == {
        "adapter_config.json",
        RECORD,
    }
    assert up_to_date(Pick())


def test_other_weights_are_another_outcome(both):
    first, _ = both
    assert replayed({WEIGHTS: "0" * 16}).manifest["digest"] != first["digest"]


def test_an_ordinary_run_does_a_replayed_step_again(both, monkeypatch):
    monkeypatch.delenv(REPLAY)
    assert not up_to_date(Pick())
    assert real().manifest["replayed"] is False
    assert up_to_date(Pick())


def test_a_replay_never_writes_over_a_models_work(runs, monkeypatch):
    folder = real()
    monkeypatch.setenv(REPLAY, "some.sqlite")
    with pytest.raises(RunError, match=r"would write over it[\s\S]*PHI_KIT_RUNS"):
        replayed({})
    assert folder.file(f"adapters/arm/{WEIGHTS}").read_bytes() == b"weights"
    with open_run(Edge()) as run:  # a step that was never run is free
        pass
    assert RunFolder(run.target).manifest["replayed"] is True
