"""Step 3 comes to the same on one worker and on four of Ray, to the bit."""

import pytest
from fake_edge import collect, seed
from tiny import tiny_student

from phi_kit.inference import completion, engine_pool, work_units
from phi_kit.steps import filter_edge as step

pytestmark = pytest.mark.sweep

SIZES = {"samples": 4, "max_samples": 6, "confirm": 2, "max_tokens": 6}
SEEDS = 24


@pytest.fixture
def model(tmp_path, real_tokenizer, monkeypatch):
    """A random model on disk, whose draws are many units."""
    student = tiny_student(real_tokenizer)
    student.model.save_pretrained(tmp_path / "model")
    student.tokenizer.save_pretrained(tmp_path / "model")
    monkeypatch.setattr(work_units, "UNIT_SAMPLES", {"cpu": 16, "cuda": 16})
    monkeypatch.setattr(step.Params, "external_digests", lambda self: {})
    # It solves nothing, and the step would go no further.
    monkeypatch.setattr(step, "_require_teachable", lambda rows, *, run: None)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    yield str(tmp_path / "model")
    engine_pool.close_pool()
    completion.load.cache_clear()


def filtered(model, runs, monkeypatch, *, workers):
    """The step's run folder, with a ledger that has nothing."""
    monkeypatch.setenv("PHI_KIT_RUNS", str(runs))
    monkeypatch.setenv("PHI_KIT_LEDGER", str(runs / "ledger.sqlite"))
    collect([seed(number) for number in range(SEEDS)])
    params = step.Params(study="s", model=model, workers=workers, **SIZES)
    return step.run(params).run_folder


def test_four_workers_write_the_tables_of_one(model, tmp_path, monkeypatch):
    one = filtered(model, tmp_path / "one", monkeypatch, workers=1)
    four = filtered(model, tmp_path / "four", monkeypatch, workers=4)
    assert engine_pool._open.workers == 4
    assert one.result == four.result
    for name in ("rows", "samples"):
        assert one.manifest["files"][f"{name}.parquet"]
        assert (
            one.manifest["files"][f"{name}.parquet"]
            == four.manifest["files"][f"{name}.parquet"]
        )
    assert len(four.table("samples")) >= SEEDS * SIZES["samples"]
