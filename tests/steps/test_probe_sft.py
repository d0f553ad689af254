"""Step 4 with every option, and step 6 with its recipe, on a tiny random model."""

from itertools import islice
from typing import ClassVar

import pandas as pd
import pytest
from pydantic import ValidationError

from phi_kit import domains
from phi_kit.core import step_table
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.params import StepParams
from phi_kit.core.step_run import open_run
from phi_kit.core.step_table import Step
from phi_kit.data import records, sealed_splits
from phi_kit.data.generators import generate_items
from phi_kit.data.records import to_frame
from phi_kit.evaluation import guessing_baseline
from phi_kit.evaluation.ask import ask, step_sampling
from phi_kit.evaluation.probe import ProbeBench
from phi_kit.inference import completion
from phi_kit.steps import expand_domains, probe_sft, synthesize
from phi_kit.study.report import findings, tables
from phi_kit.training import training_config as recipes

ARMS = ["random", "unfiltered", "teachable", "teachable+frontier"]
SMALL = {"rank": 2, "epochs": 2, "batch": 4, "save_steps": 100}


class Card(StepParams):
    STEP: ClassVar[Step] = Step(1, "pick_domain")
    domain: str = "math"
    max_tokens: int = 2
    temperature: float = 0.6
    samples: int = 1


class Edge(StepParams):
    STEP: ClassVar[Step] = Step(3, "filter_edge")
    domain: str = "math"


class Made(Edge):
    STEP: ClassVar[Step] = Step(5, "synthesize")


def drawn(split, n):
    domain = domains.get("math")
    stream = generate_items("math", domain.families[0], rng_seed=7, split=split)
    if split == "train":
        held = {item.prompt for name in ("dev", "test") for item in drawn(name, 12)}
        stream = (item for item in stream if item.prompt not in held)
    return list(islice(stream, n))


def pool(*, frontier=True):
    rows = to_frame(drawn("train", 24))
    tiers = ["teachable"] * 8 + ["frontier" if frontier else "easy"] * 8 + ["easy"] * 8
    return rows.assign(tier=tiers, control=[i % 3 == 0 for i in range(24)])


@pytest.fixture(scope="module")
def study(tiny, tmp_path_factory):
    """Steps 1 and 3 by hand, in a folder of its own; the tiny model in all steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PHI_KIT_RUNS", str(tmp_path_factory.mktemp("runs")))
        patch.setattr(completion, "load", lambda name: tiny)
        dev = drawn("dev", 12)
        with open_run(Card(study="s")) as run:
            sealed_splits.seal_split(run, "dev", dev)
            sealed_splits.seal_split(run, "test", drawn("test", 4))
            sealed_splits.seal_split(run, sealed_splits.DRAWS, drawn("draws", 40))
            math = domains.get("math")
            how = step_sampling(run.params.model_dump(), math)
            samples = ask(tiny, math, dev, **how, label="base")
            run.save_rows(samples, "samples")
            guess = guessing_baseline.best_guess("sum-1", drawn("train", 100))
            guesser = guessing_baseline.Guesser(
                {"sum-1": guess}, domains.get("math").verifier
            )
            run.result = {"guessing": guesser.card(dev, rng_seed=7)}
        with open_run(Edge(study="s")) as run:
            run.save_rows(pool())
        yield


@pytest.fixture(scope="module")
def full(study):
    """All arms, two training seeds, a search and a dose curve."""
    params = probe_sft.Params(
        study="s",
        arms=ARMS,
        train_seeds=[1, 2],
        dose=[0.25, 0.5],
        search={"learning_rate": [1e-4, 5e-3]},
        eval_steps=2,
        **SMALL,
    )
    return probe_sft.run(params)


def of(step, domain="math"):
    return RunFolder.of("s", step, domain=domain)


@pytest.mark.slow
def test_every_arm_sees_as_many_trained_tokens(full):
    table = of(step_table.PROBE_SFT).table().set_index("arm")
    assert table.index.tolist() == ["base", *ARMS]
    trained = table.trained_tokens.drop("base")
    assert trained.max() - trained.min() <= 4  # half of an answer each
    assert (table.rows["unfiltered"], table.rows["teachable"]) == (24, 8) or (
        table.rows["unfiltered"] > table.rows["teachable"]
    )


@pytest.mark.slow
def test_each_training_seed_has_its_adapter_and_its_answers(full):
    adapters = {path.name for path in (full.target / "adapters").iterdir()}
    assert adapters == {*ARMS, *(f"{arm}@2" for arm in ARMS)}
    samples = of(step_table.PROBE_SFT).table("samples")
    tuned = samples[samples.arm != "base"]
    assert set(tuned.train_seed) == {1, 2}
    assert tuned.groupby(["arm", "train_seed"]).size().eq(12).all()
    bytes_of = [
        (full.target / "adapters" / name / "adapter_model.safetensors").read_bytes()
        for name in ("random", "random@2")
    ]
    assert bytes_of[0] != bytes_of[1]


@pytest.mark.slow
def test_verdicts_are_corrected_for_the_number_of_arms(full):
    table = of(step_table.PROBE_SFT).table().set_index("arm").drop("base")
    assert (table.p_holm >= table.p).all()
    said = set(table.verdict[table.p_holm >= 0.05])
    assert said <= {"cannot tell"}


@pytest.mark.slow
def test_the_recipe_is_the_best_on_dev_and_is_written(full):
    search = full.result["search"]
    assert search["arm"] == "random"
    assert len(search["tried"]) == 2
    best = search["tried"][search["chosen"]]
    assert best["accuracy"] == max(row["accuracy"] for row in search["tried"])
    path = of(step_table.PROBE_SFT).file(recipes.RECIPE_FILE)
    assert recipes.read_config(path).learning_rate == best["learning_rate"]
    assert (
        recipes.read_config(path).rank == best["rank"] == full.result["recipe"]["rank"]
    )
    assert "the best of 2 on dev" in path.read_text()


@pytest.mark.parametrize(("budget", "parts"), [(None, None), (120, 60)])
def test_half_a_dose_sees_half_of_the_arms_budget(budget, parts):
    seen = []

    class Counting(ProbeBench):
        def _once(self, out, seeds, recipe, rng_seed, *, budget=None):
            seen.append((len(seeds), budget))
            return pd.DataFrame(columns=["seed_id", "verdict", "finish"]), None

    with open_run(Card(study="dosed")) as run:
        bench = Counting(
            run=run,
            student=None,
            domain=domains.get("math"),
            pool=pool(),
            dev=[],
            seal=None,
            how={},
            guess=[],
            seeds=[7],
            view=None,
        )
        bench.tried("half", "teachable", None, share=0.5, budget=budget)
    assert seen == [(4, parts)]


@pytest.mark.slow
def test_the_dose_curve(full):
    dose = full.result["dose"]
    assert [point["share"] for point in dose["points"]] == [0.25, 0.5, 1.0]
    rows = [point["rows"] for point in dose["points"]]
    assert rows == sorted(rows)
    assert dose["verdict"] in ("tapers", "steepens", "cannot tell")
    assert (full.target / "figures" / "dose.png").is_file()


@pytest.mark.slow
def test_every_step_of_every_run_is_in_the_table(full):
    table = of(step_table.PROBE_SFT).table("training")
    runs = {*ARMS, "dose-25", "dose-50"}
    runs |= {f"{name}@2" for name in runs} | {"search-1", "search-2"}
    assert set(table.arm) == runs
    columns = {"step", "loss", "learning_rate", "tokens_per_second", "memory_mb"}
    assert columns <= set(table.columns)
    assert table.loss.notna().all()
    asked = table[table.step % 2 == 0].heldout_accuracy
    assert asked.notna().all()
    alone = table[table.arm == "teachable"]
    assert alone.loss.tolist() == full.result["losses"]["teachable"]


@pytest.mark.slow
def test_seconds_make_nothing_stale(full):
    files = full.run_folder.manifest["files"]
    assert "training.parquet" in files  # there, and checked when it is read
    assert "training.parquet" in full.timed_files  # but later steps do not hang on it


@pytest.mark.slow
def test_nothing_is_left_to_carry_on_from(full):
    assert not full.work.exists()


@pytest.mark.slow
def test_the_report_tells_of_it(full):
    titles = [table.title for table in tables.of_step(4, full.result)]
    assert titles == [
        "Arms on held-out items",
        "Recipes tried on 'random', chosen by dev accuracy",
        "Parts of the best arm's rows",
        "The recipe",
    ]
    said = [found.text for found in findings.teachable_or_random("math", full.result)]
    assert len(said) == 2
    assert "rows" in said[1]


@pytest.mark.slow
def test_step_6_takes_the_recipe_over(full):
    with open_run(Made(study="s")) as run:
        seeds = drawn("train", 6)
        rows = to_frame(seeds, completion=[seed.answer for seed in seeds])
        records.save_dataset(rows, run.folder("dataset"))
    params = expand_domains.Params(study="s", domains=["math"], recipe="best", **SMALL)
    done = expand_domains.run(params)
    chosen = of(step_table.PROBE_SFT).result["recipe"]
    assert done.result["recipe"] == chosen
    assert chosen["learning_rate"] != params.learning_rate
    card = (done.target / "adapters" / "math" / "README.md").read_text()
    assert f"rank {chosen['rank']}" in card
    assert set(of(step_table.EXPAND_DOMAINS).table("training").arm) == {"math"}


def test_step_5_takes_the_best_arms_rows():
    arms = pd.DataFrame({"arm": ["base", "unfiltered"], "accuracy": [0.1, 0.2]})
    found = synthesize.organic_seeds(pool(), arms, synthesize.Params())
    assert len(found) == 24


def test_an_arm_without_rows_is_skipped_and_said(study):
    with open_run(Edge(study="s")) as run:
        run.save_rows(pool(frontier=False))
    params = probe_sft.Params(
        study="s", arms=["teachable", "teachable+frontier"], **{**SMALL, "epochs": 1}
    )
    done = probe_sft.run(params)
    assert done.result["skipped"] == {"teachable+frontier": "no frontier rows"}
    assert [row["arm"] for row in done.result["arms"]] == ["base", "teachable"]
    assert "teachable_vs_random" not in done.result
    folder = of(step_table.PICK_DOMAIN)
    guess = folder.result["guessing"]["overall"]["accuracy"]
    assert {row["guess"] for row in done.result["arms"]} == {guess}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"arms": ["teachable", "teachable"]}, "twice"),
        ({"arms": []}, "at least 1"),
        ({"arms": ["best"]}, "Input should be"),
        ({"dose": [0.0, 0.5]}, "above 0"),
        ({"search": {"lr": [1e-3]}}, "lr"),
    ],
)
def test_parameters_that_make_no_sense(given, said):
    with pytest.raises(ValidationError, match=said):
        probe_sft.Params(**given)
