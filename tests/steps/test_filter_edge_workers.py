"""Step 3 of the embedded model: four workers write what one writes, to the bit."""

import pytest
from fake_edge import collect, filtered

from phi_kit.core.step_table import FILTER_EDGE
from phi_kit.data.records import Seed
from phi_kit.inference import completion, engine_pool, work_units
from phi_kit.inference.pooled_model import PooledModel

pytestmark = pytest.mark.slow

SEEDS = [
    Seed(
        "math",
        f"What is {a} + {b}?",
        str(a + b),
        family="sum-1",
        source="reasoning-gym/chain_sum",
    )
    for a in range(2, 10)
    for b in range(1, 9)
]


@pytest.fixture
def by_workers(runs, monkeypatch, tmp_path):
    """Runs step 3 with a ledger of its own."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(work_units, "UNIT_SAMPLES", {"cpu": 40, "cuda": 40})
    collect(SEEDS)

    def run(workers):
        monkeypatch.setenv("PHI_KIT_LEDGER", str(tmp_path / f"{workers}.sqlite"))
        completion.load.cache_clear()
        done = filtered(
            model="smollm2-135m",
            workers=workers,
            samples=4,
            max_samples=8,
            max_tokens=12,
            redo=True,
        )
        model = completion.load("smollm2-135m", compute="auto", workers=workers)
        assert isinstance(model, PooledModel) == (workers > 1)
        return done.run_folder.manifest

    yield run
    engine_pool.close_pool()
    completion.load.cache_clear()


def test_four_workers_write_what_one_writes(by_workers):
    one, four = by_workers(1), by_workers(4)
    assert one["step"] == FILTER_EDGE.folder
    assert one["samples"]["paid"] == four["samples"]["paid"] > 4 * 40
    for name in ("rows", "samples", "fresh", "responses"):
        assert one["files"][f"{name}.parquet"] == four["files"][f"{name}.parquet"]
    assert one["digest"] == four["digest"]
    # And what one has written is nothing new to four.
    assert one["fingerprint"] == four["fingerprint"]
