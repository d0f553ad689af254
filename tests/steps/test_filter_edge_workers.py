"""Step 3 comes to the same on one worker and on four, to the bit."""

import pytest
from fake_edge import collect, seed
from fake_ray import FakeRay
from tiny import tiny_student

from phi_kit.inference import completion, engine_pool, work_units
from phi_kit.steps import filter_edge as step

SIZES = {"samples": 4, "max_samples": 6, "confirm": 2, "max_tokens": 6}


@pytest.fixture
def model(tmp_path, real_tokenizer, monkeypatch):
    """A random model on disk; its draws are many units."""
    student = tiny_student(real_tokenizer)
    student.model.save_pretrained(tmp_path / "model")
    student.tokenizer.save_pretrained(tmp_path / "model")
    monkeypatch.setattr(work_units, "UNIT_SAMPLES", {"cpu": 16, "cuda": 16})
    monkeypatch.setattr(step.Params, "external_digests", lambda self: {})
    yield str(tmp_path / "model")
    engine_pool.close_pool()
    completion.load.cache_clear()


@pytest.fixture(
    params=["in this process", pytest.param("Ray", marks=pytest.mark.sweep)]
)
def ray(request, monkeypatch):
    """Where workers run; what each is asked for, unless that is Ray itself."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if request.param == "Ray":
        return None
    fake = FakeRay({"CPU": 8.0})
    monkeypatch.setattr(engine_pool, "session", fake.session)
    return fake


def filtered(model, runs, monkeypatch, *, workers):
    """What the step writes and says, with a ledger that has nothing."""
    monkeypatch.setenv("PHI_KIT_RUNS", str(runs))
    collect([seed(number) for number in range(24)])
    params = step.Params(study="s", model=model, workers=workers, **SIZES)
    run = step.run(params).run_folder
    tables = {
        name: mark
        for name, mark in run.manifest["files"].items()
        if name.endswith(".parquet")
    }
    return tables, run.result, run.table("samples")


def test_four_workers_write_the_tables_of_one(model, ray, tmp_path, monkeypatch):
    one = filtered(model, tmp_path / "one", monkeypatch, workers=1)
    four = filtered(model, tmp_path / "four", monkeypatch, workers=4)
    assert one[:2] == four[:2]
    assert {"rows.parquet", "samples.parquet"} <= set(one[0])
    assert one[2].equals(four[2])
    assert len(one[2]) >= 24 * 4
    if ray:
        assert (len(ray.started), ray.draws > 4) == (4, True)
