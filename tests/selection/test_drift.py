"""Edge drift: what training moved, beside what luck alone would have moved."""

from contextlib import contextmanager
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from fake_models import solver

from phi_kit import domains
from phi_kit.core import step_table
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.params import StepParams
from phi_kit.core.step_run import open_run
from phi_kit.core.step_table import Step
from phi_kit.data.records import Seed, to_frame
from phi_kit.selection.drift import teachable_summary, tier_moves
from phi_kit.selection.pass_rate_posterior import Counts, fit_prior
from phi_kit.selection.tiers import assign_tiers
from phi_kit.steps.probe_sft import record_drift

BAND = (0.1, 0.75)
TIERS = np.array(["frontier", "teachable", "easy"])
PLACES = np.array(["below", "inside", "above"])


def edge(p, k=8, seed=0):
    """Step 3's rows for seeds of these pass rates."""
    right = np.random.default_rng(seed).binomial(k, p)
    counts = Counts.of(right, k - right)
    prior = fit_prior(counts)
    place, _ = assign_tiers(counts, BAND, prior=prior)
    columns = {
        "tier": TIERS[place],
        "place": PLACES[place],
        "n": k,
        "unknown": 0,
        "pass_rate": right / k,
    }
    columns |= {"family": "f", "prior_a": prior.a, "prior_b": prior.b}
    return pd.DataFrame(columns).assign(expected=prior.mean(counts))


def again(p, k, seed=1):
    right = np.random.default_rng(seed).binomial(k, p)
    return Counts.of(right, k - right)


def at(table, before, after):
    row = table[(table.before == before) & (table.after == after)]
    return row.seeds.item(), row.by_chance.item()


def test_without_training_what_moves_is_what_chance_moves():
    p = np.random.default_rng(3).beta(0.3, 1.2, 3000)
    before = edge(p)
    _, table = tier_moves(before, again(p, 4), band=BAND)
    assert at(table, "inside", "below")[0] > 100  # luck moves many
    for row in table.itertuples():
        assert row.seeds == pytest.approx(row.by_chance, abs=25 + 0.12 * row.by_chance)


def test_what_training_moved_stands_out():
    p = np.random.default_rng(3).beta(0.3, 1.2, 1000)
    before = edge(p)
    after = np.where(before.tier == "teachable", 0.95, p)
    tiers, table = tier_moves(before, again(after, 4), band=BAND)
    moved, luck = at(table, "inside", "above")
    assert moved > 3 * luck
    assert teachable_summary(table)["easy_now"] == moved
    assert sum(teachable_summary(table)[k] for k in ("easy_now", "stuck")) == (
        (before.tier == "teachable").sum()
    )
    assert len(tiers) == 1000


def test_every_seed_is_counted_once_suspects_too():
    before = edge(np.linspace(0, 1, 50))
    before.loc[:4, "tier"] = "suspect"
    _, table = tier_moves(before, again(np.full(50, 0.5), 4), band=BAND)
    assert table.seeds.sum() == 50
    assert table.by_chance.sum() == pytest.approx(50, abs=1)
    assert "suspect" in set(table.before)


def test_what_is_taught_from_below_the_band_is_compared_with_where_it_was():
    """Teachable by `gap`: a seed never solved that stays so has not left its tier."""
    before = edge(np.zeros(60))
    before["tier"] = ["teachable"] * 40 + ["frontier"] * 20
    solved = np.repeat([0.97, 0.4, 0.0], [10, 10, 40])
    _, table = tier_moves(before, again(solved, 8), band=BAND)
    went = table[table.taught].set_index("after").seeds
    assert set(table.before) == {"below"}
    assert went.to_dict() == {"below": 20, "inside": 10, "above": 10}
    assert table[~table.taught].set_index("after").seeds["below"] == 20
    assert table[table.taught].by_chance.max() == pytest.approx(40, abs=2)
    assert teachable_summary(table) == {
        "seeds": 40,
        "easy_now": 10,
        "nearer": 10,
        "stuck": 20,
    }


class Edge(StepParams):
    STEP: ClassVar[Step] = Step(3, "filter_edge")
    domain: str = "math"
    max_tokens: int = 16
    temperature: float = 0.6
    band_low: float = 0.1
    band_high: float = 0.75


class Probe(StepParams):
    STEP: ClassVar[Step] = Step(4, "probe_sft", needs=(step_table.FILTER_EDGE,))
    domain: str = "math"


def test_a_probe_records_it(runs):
    seeds = [Seed("math", f"Item {i}?", str(i)) for i in range(60)]
    before = edge(np.repeat([0.0, 0.4, 0.95], 20))
    rows = to_frame(seeds).join(before.drop(columns="family"))
    rows.loc[0, "n"] = 0  # nobody could answer it: it was never asked
    with open_run(Edge(study="s")) as run:
        run.save_rows(rows)
    tuned = solver(
        {s.prompt: 0.0 if i < 20 else 0.97 for i, s in enumerate(seeds)},
        {s.prompt: s.answer for s in seeds},
    )
    worn = []

    class Student:
        @contextmanager
        def adapter(self, folder):
            worn.append(folder)
            yield tuned

    with open_run(Probe(study="s")) as run:
        record_drift(run, Student(), domains.get("math"), k=4)
    assert [folder.as_posix().endswith("adapters/teachable") for folder in worn] == [
        True
    ]
    folder = RunFolder.of("s", step_table.PROBE_SFT, domain="math")
    found = folder.result["drift"]
    assert found["teachable"]["easy_now"] >= 15
    assert sum(row["seeds"] for row in found["moves"]) == 59
    table = folder.table("drift")
    assert len(table) == 59
    assert set(
        table.place_after[table.prompt.isin({s.prompt for s in seeds[:20]})]
    ) == {"below"}
    assert folder.file("figures/edge_drift.png").stat().st_size > 1000
