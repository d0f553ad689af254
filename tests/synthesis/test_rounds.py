"""Rounds of synthesis: what the current student says is made next, and when to stop."""

from contextlib import contextmanager
from types import SimpleNamespace

import pandas as pd
import pytest
import synthesis_study
from fake_models import Fake, stopped
from synthesis_study import Filtered, Picked, Probed, study, taught

from phi_kit import domains
from phi_kit.core import step_table
from phi_kit.core.errors import ModelError, RunError
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.step_run import open_run
from phi_kit.data import sealed_splits
from phi_kit.data.records import Seed
from phi_kit.steps import synthesize
from phi_kit.steps.synthesize import Params
from phi_kit.synthesis import rounds
from phi_kit.synthesis.gates import GateLog, MixRow, row_by_row
from phi_kit.synthesis.rounds import ProbedStudent, RoundBench, judge, unmastered
from phi_kit.training.training_config import RECIPE_FILE, TrainingConfig, write_config

SEEDS = [
    Seed(
        "math",
        f"Solve the following arithmetic problem: {a} + {b} =",
        str(a + b),
        "sum-1",
    )
    for a in range(10, 90, 10)
    for b in (3, 4)
]  # 16


def samples(*rights):
    """Samples of seeds, so many right of eight."""
    seeds = [Seed("math", f"seed {n}", str(n)) for n in range(len(rights))]
    rows = [
        {
            "seed_id": seed.id,
            "verdict": "right" if place < right else "wrong",
            "finish": "stop",
        }
        for seed, right in zip(seeds, rights, strict=True)
        for place in range(8)
    ]
    return pd.DataFrame(rows), seeds


def test_what_the_student_masters_is_not_rewritten_again():
    table, seeds = samples(*[8] * 6, *[0] * 6, 2)
    found = unmastered(table, seeds, (0.1, 0.5))
    assert [seed.prompt for seed in found] == [f"seed {n}" for n in range(6, 13)]


@pytest.mark.parametrize(
    ("before", "after", "first", "left", "said"),
    [
        (0.1, 0.9, True, 3, rounds.GOES_ON),
        (0.1, 0.9, False, 0, rounds.MASTERED),
        (0.5, 0.52, False, 3, rounds.NO_RISE),
        (0.9, 0.1, False, 3, rounds.FELL),
        (0.9, 0.1, True, 3, rounds.NO_RISE),
    ],
)
def test_a_further_round_needs_a_rise_on_dev(before, after, first, left, said):
    def items(share):
        return [1.0] * round(100 * share) + [0.0] * round(100 * (1 - share))

    probed = ProbedStudent(items(after), SEEDS[:left])
    found = judge(items(before), probed, first=first, rng_seed=7)
    assert found.said == said
    assert list(found.next_seeds) == (SEEDS[:left] if said == rounds.GOES_ON else [])
    told = found.as_dict(rng_seed=7)
    assert told["delta_low"] <= told["delta"] <= told["delta_high"]
    assert told["n"] == 100


def test_a_later_rounds_rows_join_under_numbers_of_their_own():
    row = MixRow(SEEDS[0], "", "synthetic", "told")
    first, second = GateLog([row]), GateLog([row, row])
    second.send("odd", row_by_row(lambda one: "no" if one.occurrence else None))
    first.send("odd", lambda rows: (list(rows), []))
    first.join(second)
    ids = [one.id for one in first.rows] + [one.row.id for one in first.dropped]
    assert len(set(ids)) == 3
    assert first.counts == {"odd": {"in": 3, "kept": 2}}
    first.send("round", rounds.taking_back(1))
    assert len(first.rows) == 1
    assert [one.gate for one in first.dropped] == ["odd", "round"]


# --- the step, with probes whose outcome is known ---


class Bench:
    """Dev comes out as it is told; ever fewer of the seeds are left unmastered."""

    def __init__(self, *levels):
        self.levels, self.probed = iter(levels), []

    def base(self):
        return [0.0] * 100

    def probe(self, number, rows, seeds):
        self.probed.append(len(rows))
        level = next(self.levels)
        if isinstance(level, Exception):
            raise level
        right = round(100 * level)
        items = [1.0] * right + [0.0] * (100 - right)
        return ProbedStudent(items, list(seeds)[: len(seeds) // 2**number])


def run(monkeypatch, *levels, number=3, says=None, **config):
    """Step 5 in rounds: what it found, its rows, the dropped ones, the bench."""
    study(monkeypatch, says, seeds=SEEDS, **{"responses": ["worked"], **config})
    bench = Bench(*levels)
    monkeypatch.setattr(synthesize, "open_rounds", lambda *_: bench)
    params = {"transforms": ["renumber"], "organic_share": 0.5, "rounds": number}
    done = synthesize.run(Params(study="s", model="student", **params))
    folder = RunFolder.of("s", step_table.SYNTHESIZE, domain="math")
    return done.result, folder.table(), folder.table("dropped"), bench


@pytest.mark.usefixtures("runs")
def test_each_round_rewrites_what_the_last_student_did_not_master(monkeypatch):
    result, rows, dropped, bench = run(monkeypatch, 0.3, 0.6)
    told = result["rounds"]
    assert [one["seeds"] for one in told] == [16, 8, 4]
    goes_on = [rounds.GOES_ON] * 2
    assert [one["said"] for one in told] == [*goes_on, rounds.LAST]
    assert [one["accuracy"] for one in told[:2]] == [0.3, 0.6]
    assert told[1]["delta"] == pytest.approx(0.3)  # over the round before
    kept = [one["rows"] for one in told]
    assert bench.probed == [16 + kept[0], 16 + kept[0] + kept[1]]
    made = rows[rows.kind == "synthetic"]
    assert len(made) == sum(kept) <= 16
    assert kept[0] == 5  # a third of the room
    chosen = {seed.id for seed in sorted(SEEDS, key=lambda seed: seed.id)[:8]}
    assert set(made.parent[kept[0] :]) <= chosen
    assert made.prompt.is_unique  # a later round draws other numbers
    assert pd.concat([rows.row_id, dropped.row_id]).is_unique
    tried = sum(one["tried"] for one in result["transforms"])
    assert tried == len(made) + len(dropped)


@pytest.mark.usefixtures("runs")
def test_a_dev_that_no_longer_rises_ends_it_and_what_was_made_stays(monkeypatch):
    result, rows, _, _ = run(monkeypatch, 0.3, 0.32)
    assert [one["said"] for one in result["rounds"]] == [rounds.GOES_ON, rounds.NO_RISE]
    made = (rows.kind == "synthetic").sum()
    assert made == sum(one["rows"] for one in result["rounds"])


@pytest.mark.usefixtures("runs")
def test_a_round_after_which_dev_fell_is_taken_back(monkeypatch):
    result, rows, dropped, _ = run(monkeypatch, 0.8, 0.2)
    first, second = result["rounds"]
    assert second["said"] == rounds.FELL
    assert (rows.kind == "synthetic").sum() == first["rows"]
    fell = dropped[dropped.gate == "round"]
    assert len(fell) == second["rows"] > 0
    assert set(fell.reason) == {"dev fell after its round"}


@pytest.mark.usefixtures("runs")
def test_a_teachers_budget_holds_for_all_rounds_together(monkeypatch):
    asked = []

    def says(prompt, draw, limit):
        asked.append(prompt)
        return stopped(taught(Seed("math", prompt, "")))

    how = {"responses": ["teacher"], "teacher_budget": 18}
    run(monkeypatch, 0.3, 0.6, says=says, **how)
    assert len(asked) == 18  # 16 of the first round, 2 of 8 of the second


@pytest.mark.usefixtures("runs")
def test_one_round_is_not_probed(monkeypatch):
    result, _, _, bench = run(monkeypatch, number=1)
    assert "rounds" not in result
    assert not bench.probed


@pytest.mark.usefixtures("runs")
def test_a_probe_that_fails_leaves_no_row_unaccounted_for(monkeypatch):
    with pytest.raises(RunError, match="the loss became NaN"):
        run(monkeypatch, 0.3, RunError("the loss became NaN"))
    target = RunFolder.of("s", step_table.SYNTHESIZE, domain="math").path
    work = target.with_name(f".{target.name}.work")
    told = pd.read_parquet(work / "unfinished.parquet")
    assert len(told) == 16 + 8  # of both rounds
    assert told.row_id.is_unique
    assert "a further round" in set(told.gate)


def test_only_several_rounds_need_the_students_weights():
    behind_a_url = {"model": "http://127.0.0.1:9/v1#m"}
    Params(**behind_a_url).require_weights()
    with pytest.raises(ModelError, match="needs the model's weights"):
        Params(rounds=2, **behind_a_url).require_weights()


# --- a probe ---


class Tuned(Fake):
    """Solves what was trained on, once its adapter is on."""

    identity = "tuned"

    def __init__(self, trained):
        super().__init__(self.say_so, "student")
        self.trained, self.on = trained, False

    def say_so(self, prompt, draw, limit):
        knows = next((s for s in self.trained if self.on and s.prompt in prompt), None)
        return stopped(taught(knows) if knows else "Answer: 1000")

    @contextmanager
    def adapter(self, folder):
        assert folder.name == "round-2"
        self.on = True
        yield self
        self.on = False


def test_a_probe_trains_asks_dev_and_asks_the_seeds_again(tmp_path, monkeypatch):
    trained = SEEDS[:8]
    seen = {}
    monkeypatch.setattr(rounds, "training_rows", lambda student, domain, rows: rows)
    monkeypatch.setattr(rounds, "train", lambda *given, **more: seen.update(more))
    asked = {"samples": 1, "max_tokens": 64, "temperature": 0.6, "rng_seed": 7}
    work = SimpleNamespace(
        work=tmp_path, logs=tmp_path, params=SimpleNamespace(rng_seed=7)
    )
    bench = RoundBench(
        run=work,
        student=Tuned(trained),
        domain=domains.get("math").in_style("steps"),
        sealed=lambda text: None,
        recipe=TrainingConfig(),
        card=SimpleNamespace(manifest={"params": asked}),
        dev=SEEDS[4:12],
        edge={**asked, "band_low": 0.1, "band_high": 0.5},
        samples=6,
    )
    found = bench.probe(2, [(seed, taught(seed)) for seed in trained], SEEDS)
    assert found.items == [1.0] * 4 + [0.0] * 4
    assert found.unmastered == SEEDS[8:]
    assert seen["epochs"] == [float(TrainingConfig().epochs)] * 8
    assert seen["out"].parent == tmp_path / "rounds"


class Card(Picked):
    """Step 1, which says how dev is asked."""

    samples: int = 1
    max_tokens: int | None = 8
    temperature: float = 0.6


class Edge(Filtered):
    """Step 3 with its band, and how the student is asked."""

    max_tokens: int = 8
    band_low: float = 0.1
    band_high: float = 0.5


@pytest.mark.slow
@pytest.mark.usefixtures("runs")
def test_a_real_model_is_trained_and_asked_between_two_rounds(monkeypatch, tiny):
    """Random weights learn nothing: dev does not rise, and nothing more is made."""
    monkeypatch.setattr(synthesis_study, "Filtered", Edge)
    study(
        monkeypatch,
        None,
        seeds=SEEDS,
        student=tiny,
        responses=["worked"],
        response_tokens=200,
    )
    with open_run(Card(study="s")) as step:
        for split in ("dev", "test", sealed_splits.DRAWS):
            held = [
                Seed("math", f"Which comes after {n}?", str(n + 1)) for n in range(6)
            ]
            sealed_splits.seal_split(step, split, held if split == "dev" else [])
    with open_run(Probed(study="s")) as step:
        step.save_rows(pd.DataFrame({"arm": ["base", "teachable"], "accuracy": 0.1}))
        recipe = TrainingConfig(rank=2, epochs=1)
        write_config(recipe, step.staging / RECIPE_FILE)
    params = {"transforms": ["renumber"], "organic_share": 0.5, "rounds": 2}
    done = synthesize.run(
        Params(study="s", model="student", own_solutions=False, **params)
    )
    (told,) = done.result["rounds"]
    assert told["said"] == rounds.NO_RISE
    assert (told["n"], told["accuracy"], told["rows"]) == (6, 0.0, 8)
    assert told["delta_low"] <= told["delta"] <= told["delta_high"]
    table = done.run_folder.table()
    assert (table.kind == "synthetic").sum() == told["rows"]
    assert table.logprob.lt(0).all()  # what was not scored before is scored now
    assert not done.work.exists()  # the adapter goes with the step
