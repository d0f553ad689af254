"""Step 4 with every option, and step 6 with its recipe, on a tiny random model."""

from dataclasses import replace
from itertools import islice
from types import SimpleNamespace
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
from phi_kit.evaluation.few_shot import FEW_SHOT, NO_ROOM
from phi_kit.evaluation.probe import Probe, ProbeBench
from phi_kit.inference import completion
from phi_kit.steps import expand_domains, probe_sft, synthesize
from phi_kit.study.report import findings, step_tables
from phi_kit.training import training_config as recipes
from phi_kit.training.arms import rows_of_arm

ARMS = ["own", "random", "unfiltered", "teachable", "teachable+frontier"]
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
        new = (item for item in stream if item.prompt not in held)
        stream = iter(dict.fromkeys(islice(new, 200)))  # step 2 leaves none twice
    return list(islice(stream, n))


def pool(*, frontier=True, own=12):
    """24 rows with a response each, and so many responses of the student's own."""
    rows = to_frame(drawn("train", 24))
    middle = ("frontier", "below") if frontier else ("easy", "above")
    tiers = ["teachable"] * 8 + [middle[0]] * 8 + ["easy"] * 8
    return rows.assign(
        tier=tiers,
        place=["inside"] * 8 + [middle[1]] * 8 + ["above"] * 8,
        responses=1,
        own_responses=[int(n < own) for n in range(24)],
        control=[n % 3 == 0 for n in range(24)],
        unfiltered=[n % 3 == 1 for n in range(24)],
    )


def responses(rows):
    """Of the pool's rows: the gold is kept, the student's own say it in a sentence."""
    mine = rows[rows.own_responses > 0]
    ids, texts = (
        [*rows.id, *mine.id],
        [*rows.answer, *(f"It is {a}" for a in mine.answer)],
    )
    kept = [True] * len(rows) + [False] * len(mine)
    table = pd.DataFrame({"seed_id": ids, "text": texts, "rank": 1, "kept": kept})
    return table.assign(own=~table.kept)


def save_edge(rows):
    with open_run(Edge(study="s")) as run:
        run.save_rows(rows)
        run.save_rows(responses(rows), "responses")


def bench_of(rows, run=None, kind=ProbeBench):
    """A bench that nobody trains on."""
    nothing = {"student": None, "dev": [], "seal": None, "how": {}, "guess": []}
    return kind(
        run=run,
        domain=domains.get("math"),
        pool=rows,
        responses=responses(rows),
        seeds=[7],
        view=None,
        **nothing,
    )


@pytest.fixture(scope="module")
def study(tiny, tmp_path_factory):
    """Steps 1 and 3 by hand, in a folder of its own; the tiny model in all steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PHI_KIT_RUNS", str(tmp_path_factory.mktemp("runs")))
        patch.setattr(completion, "load", lambda name, **_: tiny)
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
        save_edge(pool())
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
    assert table.index.tolist() == ["base", FEW_SHOT, *ARMS]
    trained = table.trained_tokens[ARMS]
    assert trained.max() - trained.min() <= 8  # half of a response each
    # The student's own responses are longer here: fewer of them fit the same tokens.
    assert table.rows["teachable"] == 8 < table.rows["teachable+frontier"]
    assert table.rows["own"] < 12


@pytest.mark.slow
def test_examples_in_the_prompt_are_asked_and_not_trained(full):
    table = of(step_table.PROBE_SFT).table().set_index("arm")
    assert table.loc[FEW_SHOT, ["rows", "trained_tokens", "p", "p_holm"]].isna().all()
    assert table.loc[FEW_SHOT, ["delta", "delta_low", "form"]].notna().all()
    assert table.loc[FEW_SHOT, "verdict"] in ("better", "worse", "cannot tell")
    samples = of(step_table.PROBE_SFT).table("samples")
    assert samples.arm.value_counts()[FEW_SHOT] == 12
    training = of(step_table.PROBE_SFT).table("training")
    assert FEW_SHOT not in set(training.arm)


@pytest.mark.slow
def test_the_table_says_how_often_rows_and_examples_were_seen(full):
    table = of(step_table.PROBE_SFT).table().set_index("arm")
    assert table.examples[FEW_SHOT] == 5
    assert table.examples.drop(FEW_SHOT).isna().all()
    seen = table.trained_tokens[ARMS] / table.passes[ARMS]
    gates = full.result["gate"]
    assert seen.tolist() == [
        pytest.approx(gates[arm]["trained_tokens"]) for arm in ARMS
    ]


@pytest.mark.slow
def test_what_teachable_gains_over_each_control_stands_in_the_result(full):
    table = of(step_table.PROBE_SFT).table().set_index("arm")
    controls = {"random": "random", "own": "own", "few_shot": FEW_SHOT}
    for name, arm in controls.items():
        gain = full.result[f"teachable_vs_{name}"]
        expected = table.accuracy["teachable"] - table.accuracy[arm]
        assert gain["delta"] == pytest.approx(expected, abs=1e-3)
        assert gain["low"] <= gain["delta"] <= gain["high"]


@pytest.mark.slow
def test_each_training_seed_has_its_adapter_and_its_answers(full):
    adapters = {path.name for path in (full.target / "adapters").iterdir()}
    assert adapters == {*ARMS, *(f"{arm}@2" for arm in ARMS)}
    samples = of(step_table.PROBE_SFT).table("samples")
    tuned = samples[samples.arm.isin(ARMS)]
    assert set(tuned.train_seed) == {1, 2}
    assert tuned.groupby(["arm", "train_seed"]).size().eq(12).all()
    bytes_of = [
        (full.target / "adapters" / name / "adapter_model.safetensors").read_bytes()
        for name in ("random", "random@2")
    ]
    assert bytes_of[0] != bytes_of[1]


@pytest.mark.slow
def test_verdicts_are_corrected_for_the_number_of_arms(full):
    table = of(step_table.PROBE_SFT).table().set_index("arm").loc[ARMS]
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
def test_half_a_dose_sees_half_of_the_arms_budget(runs, budget, parts):
    seen = []

    class Counting(ProbeBench):
        def _once(self, out, seeds, recipe, rng_seed, *, budget=None):
            seen.append((len(seeds), budget))
            return pd.DataFrame(columns=["seed_id", "verdict", "finish"]), None

    with open_run(Card(study="dosed")) as run:
        bench = bench_of(pool(), run, Counting)
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
    titles = [table.title for table in step_tables.of_step(4, full.result)]
    assert titles == [
        "Arms on held-out items",
        "Recipes tried on 'random', chosen by dev accuracy",
        "Parts of the best arm's rows",
        "The recipe",
    ]
    said = [found.text for found in findings.teachable_or_random("math", full.result)]
    # Against random, own and few-shot, the dose, and that its own are few.
    assert len(said) == 5
    assert "rows" in said[3]


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


@pytest.fixture
def edge_table():
    """Step 3 as step 5 reads it."""
    rows = pool()
    tables = {"rows": rows, "responses": responses(rows)}
    return SimpleNamespace(table=lambda name="rows": tables[name])


@pytest.mark.parametrize(
    ("accuracies", "chosen"),
    [
        ({"base": 0.3, "random": 0.1, "teachable": 0.2}, "teachable"),
        ({"base": 0.1, "random": 0.3, "teachable": 0.2}, "random"),
        ({"base": 0.1, FEW_SHOT: 0.9, "own": 0.8, "teachable": 0.2}, "teachable"),
    ],
)
def test_step_5_grows_the_best_arm_that_was_trained_to_be_grown(
    edge_table, accuracies, chosen
):
    """Neither base, with examples or without, nor the student's own responses."""
    arms = pd.DataFrame({"arm": list(accuracies), "accuracy": accuracies.values()})
    found = synthesize.organic_rows(edge_table, arms, synthesize.Params())
    expected = rows_of_arm(pool(), chosen)
    assert [seed.id for seed, _ in found] == expected.id.tolist()
    assert [text for _, text in found] == expected.answer.tolist()


def test_step_5_takes_the_arm_that_it_is_told(edge_table):
    arms = pd.DataFrame({"arm": ["base", "teachable"], "accuracy": [0.1, 0.2]})
    params = synthesize.Params(arm="own")
    found = synthesize.organic_rows(edge_table, arms, params)
    assert len(found) == 12
    assert {text for _, text in found} == {f"It is {seed.answer}" for seed, _ in found}


@pytest.mark.parametrize(
    ("rows", "skipped"),
    [
        (pool(), {}),
        (pool(own=8), {}),
        (pool(own=7), {"own": "only 7 right responses of the student's own"}),
        (pool(own=0), {"own": "no rows"}),
        (pool(frontier=False), {"teachable+frontier": "no frontier rows"}),
        (
            pool().assign(control=[n < 8 for n in range(24)]),
            {"random": "the teachable rows: the filter had nothing to drop"},
        ),
    ],
)
def test_an_arm_that_says_nothing_is_skipped_and_why(rows, skipped):
    arms, why = bench_of(rows).fillable(ARMS)
    assert why == skipped
    assert arms == [arm for arm in ARMS if arm not in skipped]


# --- the table of the arms ---

ITEMS = 40


def answered(strict, lenient, *, cut=0):
    """A probe whose first so many items are right, and leniently right."""
    verdicts = ["right" if n < strict else "wrong" for n in range(ITEMS)]
    samples = pd.DataFrame(
        {
            "verdict": verdicts,
            "lenient": ["right" if n < lenient else "wrong" for n in range(ITEMS)],
            "finish": ["length" if n < cut else "stop" for n in range(ITEMS)],
        }
    )
    return Probe(samples, [[float(n < strict) for n in range(ITEMS)]])


def trained(strict, lenient, **more):
    gate = {"trained_tokens": 20}  # of one pass
    cost = SimpleNamespace(rows=8, tokens=99, trained_tokens=50, gate=gate)
    return replace(answered(strict, lenient, **more), trained=[cost])


def compared(untrained, probes, guess=0.1):
    table = probe_sft.compare_arms(untrained, probes, [guess] * ITEMS, rng_seed=1)
    return table.set_index("arm")


@pytest.mark.slow
def test_the_part_of_a_gain_that_is_form():
    """What the lenient reading saw in base's answers already was no gain in skill."""
    untrained = {"base": answered(4, 20, cut=10), FEW_SHOT: answered(16, 20)}
    probes = {"own": trained(20, 20), "teachable": trained(36, 36, cut=2)}
    table = compared(untrained, probes)
    assert table.delta["own"] == pytest.approx(0.4)
    assert table.form["own"] == pytest.approx(0.4)  # all of it
    assert table.delta["teachable"] == pytest.approx(0.8)
    assert table.form["teachable"] == pytest.approx(0.4)
    assert table.form[FEW_SHOT] == pytest.approx(0.3)
    assert pd.isna(table.form["base"])
    assert table.truncated.tolist() == [0.25, 0, 0, 0.05]
    assert table.lenient.tolist() == [0.5, 0.5, 0.5, 0.9]


@pytest.mark.slow
def test_base_with_examples_is_no_arm_of_the_correction():
    """Trained arms are corrected for their own number, whoever else is in the table."""
    probes = {"own": trained(14, 14), "teachable": trained(16, 16)}
    alone = compared({"base": answered(8, 8)}, probes)
    table = compared({"base": answered(8, 8), FEW_SHOT: answered(30, 30)}, probes)
    arms = ["own", "teachable"]
    assert table.p_holm[arms].tolist() == alone.p_holm[arms].tolist()
    assert table.verdict[FEW_SHOT] == "better"
    assert table.loc[FEW_SHOT, ["rows", "tokens", "trained_tokens", "p"]].isna().all()
    assert table.role.tolist() == ["baseline", "baseline", "arm", "arm"]
    assert table.passes[arms].tolist() == [2.5, 2.5]
    assert compared({"base": answered(8, 8)}, probes, guess=0.9).verdict["own"] != (
        "better"
    )


def test_teachable_is_held_against_every_control_there_is():
    untrained = {"base": answered(4, 4), FEW_SHOT: answered(10, 10)}
    probes = {"own": trained(8, 8), "teachable": trained(20, 20)}
    found = probe_sft.compare_with_teachable(untrained, probes, rng_seed=1)
    assert set(found) == {"teachable_vs_own", "teachable_vs_few_shot"}
    assert found["teachable_vs_own"]["delta"] == pytest.approx(0.3)
    assert found["teachable_vs_few_shot"]["delta"] == pytest.approx(0.25)
    assert found["teachable_vs_own"]["verdict"] == "better"
    del probes["teachable"]
    assert probe_sft.compare_with_teachable(untrained, probes, rng_seed=1) == {}


# The next two carry the step out again, so they come behind all that read `full`.
@pytest.mark.slow
def test_where_no_example_fits_base_goes_without(study, monkeypatch):
    save_edge(pool())
    monkeypatch.setattr(probe_sft.ProbeBench, "few_shot", lambda bench, k: None)
    how = {**SMALL, "epochs": 1}
    done = probe_sft.run(probe_sft.Params(study="s", arms=["teachable"], **how))
    assert done.result["skipped"] == {FEW_SHOT: NO_ROOM}
    assert [row["arm"] for row in done.result["arms"]] == ["base", "teachable"]


@pytest.mark.slow
def test_an_arm_is_skipped_and_base_may_go_without_examples(study):
    save_edge(pool(frontier=False, own=3))
    params = probe_sft.Params(
        study="s",
        arms=["own", "teachable", "teachable+frontier"],
        few_shot=0,
        **{**SMALL, "epochs": 1},
    )
    done = probe_sft.run(params)
    assert set(done.result["skipped"]) == {"own", "teachable+frontier"}
    assert [row["arm"] for row in done.result["arms"]] == ["base", "teachable"]
    assert not [name for name in done.result if "_vs_" in name]
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
