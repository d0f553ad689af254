"""Step 7's verdicts: against base, and against what guessing gives."""

from contextlib import contextmanager
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from pydantic import Field

from phi_kit.core import step_table
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.params import StepParams
from phi_kit.core.step_run import open_run
from phi_kit.core.step_table import Step
from phi_kit.data import sealed_splits
from phi_kit.data.records import Seed, to_frame
from phi_kit.evaluation import tested_domain
from phi_kit.evaluation.few_shot import FEW_SHOT
from phi_kit.inference import completion
from phi_kit.inference.types import Completion
from phi_kit.stats.comparison import NOT_CONSTANT
from phi_kit.steps import benchmark

K = 3
# Two families of 40: every gold of `lop` is 1 but ten, those of `even` differ.
ITEMS = [
    Seed("d", f"{family} {place}", gold, family=family, level=level)
    for level, family, golds in (
        (1, "lop", ["1"] * 30 + ["2"] * 10),
        (2, "even", [str(n) for n in range(40)]),
    )
    for place, gold in enumerate(golds)
]
GUESS = [float(s.family == "lop" and s.answer == "1") for s in ITEMS]


def samples(answer):
    """What a model says: `answer` maps an item to its words."""
    return pd.DataFrame(
        [
            {
                "seed_id": seed.id,
                "sample": place,
                "extracted": answer(seed),
                "verdict": "right" if answer(seed) == seed.answer else "wrong",
                "lenient": "right" if answer(seed) == seed.answer else "wrong",
                "finish": "stop",
                "tokens": 2,
            }
            for seed in ITEMS
            for place in range(K)
        ]
    )


def outcome(final, **controls):
    base = samples(lambda seed: "3")
    asked = {name: samples(says) for name, says in controls.items()}
    return benchmark.TestedDomain("d", ITEMS, base, samples(final), asked, GUESS)


def always_one(seed):
    return "1"


def half_of_all(seed):
    return seed.answer if int(seed.prompt.split()[1]) % 2 else "no"


def solves(seed):
    return seed.answer


@pytest.mark.parametrize(
    ("model", "verdict"),
    [(always_one, NOT_CONSTANT), (half_of_all, NOT_CONSTANT), (solves, "better")],
)
def test_a_model_has_to_beat_the_constant_too(model, verdict):
    rows = benchmark.compare_models(outcome(model), rng_seed=7)
    assert [row["metric"] for row in rows] == ["pass@1", "maj@3"]
    assert {row["verdict"] for row in rows} == {verdict}
    assert {row["guess"] for row in rows} == {30 / 80}
    assert all(row["delta"] > 0.3 for row in rows)


def test_a_single_sample_takes_no_vote():
    once = [frame[frame["sample"] == 0] for frame in map(samples, (always_one, solves))]
    tested = benchmark.TestedDomain("d", ITEMS, *once, {}, GUESS)
    rows = benchmark.compare_models(tested, rng_seed=7)
    assert [row["metric"] for row in rows] == ["pass@1"]


def test_families_show_where_a_gain_lies():
    easy, hard = benchmark.compare_families(outcome(half_of_all), rng_seed=7)
    assert (easy["family"], easy["n"], hard["family"], hard["n"]) == (
        "lop",
        40,
        "even",
        40,
    )
    assert easy["guess"] == 0.75
    assert easy["verdict"] == NOT_CONSTANT
    assert hard["guess"] == 0
    assert hard["verdict"] == "better"
    assert hard["final"] == 0.5
    assert hard["final_low"] < 0.5 < hard["final_high"]


def test_a_model_that_loses_is_worse_whatever_guessing_gives():
    swapped = benchmark.TestedDomain(
        "d", ITEMS, samples(solves), samples(always_one), {}, GUESS
    )
    assert benchmark.compare_models(swapped, rng_seed=7)[0]["verdict"] == "worse"


def voted(*answers):
    """Samples of the first item, whose gold is 1; `cut` answers hold nothing."""
    return pd.DataFrame(
        {
            "seed_id": ITEMS[0].id,
            "sample": range(len(answers)),
            "extracted": answers,
            "verdict": ["right" if one in ("1", "1.0") else "wrong" for one in answers],
        }
    )


@pytest.mark.parametrize(
    ("answers", "right"),
    [
        (("1", "1", "2"), 1.0),
        (("2", "1", "2"), 0.0),
        (("", "", "1"), 1.0),  # an empty answer has no vote
        (("", "", ""), 0.0),
        (("3",), 0.0),
    ],
)
def test_the_most_frequent_answer_counts(answers, right):
    assert tested_domain.by_majority(voted(*answers), ITEMS[:1]) == [right]


def test_majority_keeps_the_order_of_the_items():
    answers = samples(half_of_all)
    shuffled = answers.sample(frac=1, random_state=3)
    expected = [float(half_of_all(seed) == seed.answer) for seed in ITEMS]
    assert tested_domain.by_majority(shuffled, ITEMS) == expected


# --- what costs nothing, beside base and final ---


def test_final_is_held_against_what_costs_nothing():
    controls = {FEW_SHOT: half_of_all, "own": always_one}
    for row in benchmark.compare_models(outcome(solves, **controls), rng_seed=7):
        assert row["few_shot"] == 0.5
        assert row["few_shot_low"] < 0.5 < row["few_shot_high"]
        assert row["over_few_shot"] == 0.5
        assert 0 < row["over_few_shot_low"] < 0.5 < row["over_few_shot_high"]
        assert row["own"] == 31 / 80
        assert row["over_own"] == 49 / 80


@pytest.mark.parametrize("there", [(), (FEW_SHOT,), ("own",)])
def test_a_control_that_was_not_asked_has_no_columns(there):
    found = outcome(solves, **dict.fromkeys(there, half_of_all))
    (row, _) = benchmark.compare_models(found, rng_seed=7)
    named = {key for key in row if "few_shot" in key or "own" in key}
    assert len(named) == 6 * len(there)
    assert row["verdict"] == "better"
    said = found.everyone()
    assert list(said.model.unique()) == ["base", *there, "final"]
    assert len(said) == (2 + len(there)) * len(ITEMS) * K


class Card(StepParams):
    STEP: ClassVar[Step] = step_table.PICK_DOMAIN
    domain: str = "math"
    style: str = "steps"


class Edge(Card):
    STEP: ClassVar[Step] = Step(3, "filter_edge")


class Arms(Card):
    STEP: ClassVar[Step] = Step(4, "probe_sft")


class Merged(StepParams):
    STEP: ClassVar[Step] = Step(6, "expand_domains", per_domain=False)
    domains: list[str] = Field(["math", "puzzles"])


def probed(domain, arms):
    """Samples of step 4: every arm solves what its name is long enough for."""
    return pd.DataFrame(
        [
            {
                "arm": arm,
                "train_seed": 7,
                "seed_id": f"{domain} {place}",
                "verdict": "right" if place < len(arm) else "wrong",
                "finish": "stop",
            }
            for arm in arms
            for place in range(20)
        ]
    )


class Weights:
    """A model whose skill hangs on its adapter and on being shown examples."""

    name = identity = "weights"
    SKILLS: ClassVar = {"": 0.1, "examples": 0.4, "own": 0.3, "final": 0.9}

    def __init__(self, skill=""):
        self.skill, self.asked = skill, []

    def render(self, instruction, prompt, *, thinking=False, examples=()):
        shown = "".join(f"<{question}|{answer}>" for question, answer in examples)
        return f"{shown}{prompt}"

    def stream(self, requests, sampling):
        for place, one in enumerate(requests):
            self.asked.append(one.prompt)
            shown = one.prompt.startswith("<")
            skill = self.SKILLS["examples" if shown else self.skill]
            number = one.prompt.rpartition(" ")[2].rstrip("?")
            right = np.random.default_rng(one.seed).random() < skill
            text = f"It is counted.\nAnswer: {number if right else 1000}"
            yield place, Completion(text, 5, "stop")

    @contextmanager
    def adapter(self, folder):
        tuned = Weights(folder.name.partition("@")[0])
        tuned.asked = self.asked
        yield tuned


RULE = {"margin": 0.1, "primary": "math"}


def finished(*, own, finals=("final",), rule=RULE):
    """Steps 1, 3, 4 and 6 of two domains.

    Args:
        own: the domains that trained that arm.
        finals: the merged adapter of each training seed.
        rule: that step 6 locked, if it did.
    """
    for domain in ("math", "puzzles"):
        items = [Seed(domain, f"Test {n}?", str(n), family="f") for n in range(24)]
        seeds = [Seed(domain, f"Row {n}?", str(n), family="f") for n in range(12)]
        with open_run(Card(study="s", domain=domain)) as run:
            sealed_splits.seal_split(run, "dev", items[:1])
            sealed_splits.seal_split(run, "test", items)
            sealed_splits.seal_split(run, sealed_splits.DRAWS, [])
            run.result = {"guessing": {"families": []}}
        with open_run(Edge(study="s", domain=domain)) as run:
            run.save_rows(to_frame(seeds).assign(tier="teachable"))
            texts = [f"So it is.\nAnswer: {seed.answer}" for seed in seeds]
            told = pd.DataFrame({"seed_id": [seed.id for seed in seeds], "text": texts})
            run.save_rows(told.assign(rank=1, kept=True), "responses")
        with open_run(Arms(study="s", domain=domain)) as run:
            arms = ["base", "teachable", *(["own"] if domain in own else [])]
            run.save_rows(pd.DataFrame({"arm": arms}))
            run.save_rows(probed(domain, arms), "samples")
            run.result = {"arms": [{"arm": "teachable", "trained_tokens": 500}]}
            for arm in arms[1:]:
                (run.folder(f"adapters/{arm}") / "weights").write_text(arm)
    with open_run(Merged(study="s")) as run:
        for name in finals:
            (run.folder(f"adapters/{name}") / "weights").write_text(name)
        run.result = {"final": finals[0], "finals": list(finals), "rule": rule}


@pytest.fixture
def weights(runs, monkeypatch):
    monkeypatch.setattr(benchmark.Params, "external_digests", lambda self: {})
    model = Weights()
    monkeypatch.setattr(completion, "load", lambda name, **_: model)
    guesser = SimpleNamespace(per_item=lambda items: [0.05] * len(items))
    monkeypatch.setattr(
        benchmark.guessing_baseline, "guesser_of_card", lambda *_: guesser
    )
    return model


@pytest.mark.slow
def test_the_controls_are_asked_the_same_items(weights):
    finished(own={"math", "puzzles"})
    run = benchmark.run(benchmark.Params(study="s", samples=2, few_shot=3))
    table = run.table.set_index(["domain", "metric"])
    for domain in ("math", "puzzles"):
        row = table.loc[(domain, "pass@1")]
        assert row.base < row.few_shot < row.final
        assert row.base < row.own < row.final
        assert row.over_own == pytest.approx(row.final - row.own)
        assert row.over_few_shot_low > 0
    folder = RunFolder.of("s", step_table.BENCHMARK)
    samples = folder.table("samples")
    counts = samples.groupby(["domain", "model"]).size()
    assert counts.to_dict() == {
        (domain, model): 48
        for domain in ("math", "puzzles")
        for model in ("base", FEW_SHOT, "own", "final")
    }
    shown = [prompt for prompt in weights.asked if prompt.startswith("<")]
    assert len(shown) == 2 * 48
    assert all(prompt.count("Answer:") == 3 for prompt in shown)
    assert not any("Test" in prompt.rpartition(">")[0] for prompt in shown)


@pytest.mark.slow
def test_a_study_without_controls_is_compared_all_the_same(weights):
    finished(own=set())
    run = benchmark.run(benchmark.Params(study="s", samples=2, few_shot=0))
    assert not [name for name in run.table if "own" in name or "few_shot" in name]
    assert (run.table.delta > 0.5).all()
    assert not [prompt for prompt in weights.asked if prompt.startswith("<")]


@pytest.mark.slow
def test_one_domain_may_have_trained_its_own_and_another_not(weights):
    """What is not there is missing in its row, and the figures are drawn."""
    finished(own={"math"})
    run = benchmark.run(benchmark.Params(study="s", samples=2))
    own = run.table.set_index(["domain", "metric"]).own
    assert own["math"].notna().all()
    assert own["puzzles"].isna().all()
    assert "own" not in run.result["scores"][-1]
    assert (run.target / "figures" / "gains.png").is_file()


# --- the decision ---


def test_the_rule_is_said_before_the_items_are_opened(weights, capsys):
    finished(own=set())
    run = benchmark.run(benchmark.Params(study="s", samples=1, few_shot=0))
    said = capsys.readouterr().out
    assert "rule (margin 10 points, math): locked on 20" in said
    assert "look 1 at the test items\n" in said
    assert "decision: cannot tell" in said
    decision = run.result["decision"]
    assert [one["status"] for one in decision["criteria"]] == ["open", "met", "open"]
    assert run.result["rule"]["margin"] == 0.1


def test_a_second_look_with_other_settings_is_counted(weights, capsys):
    finished(own=set())
    benchmark.run(benchmark.Params(study="s", samples=1, few_shot=0))
    benchmark.run(benchmark.Params(study="s", samples=1, few_shot=0, redo=True))
    assert "look 1 at the test items\n" in capsys.readouterr().out
    benchmark.run(benchmark.Params(study="s", samples=2, few_shot=0))
    said = capsys.readouterr().out
    assert "look 2 at the test items; what an earlier look chose" in said
    looks = RunFolder.of("s", step_table.BENCHMARK).table("looks")
    assert len(looks) == 2


def test_a_study_without_a_locked_rule_is_told_so(weights, capsys):
    finished(own=set(), rule=None)
    run = benchmark.run(benchmark.Params(study="s", samples=1, few_shot=0))
    assert "the kit's own, for an older kit ran step 6" in capsys.readouterr().out
    assert run.result["rule"]["margin"] == 0.05


@pytest.mark.slow
def test_one_checkpoint_is_no_recipe_and_three_are(weights):
    finished(own=set(), finals=("final", "final@2", "final@3"))
    run = benchmark.run(benchmark.Params(study="s", samples=1, few_shot=0))
    row = run.table.set_index("domain").loc["math"]
    assert (row.verdict, row.as_recipe, row.runs) == ("better", "better", 3)
    samples = RunFolder.of("s", step_table.BENCHMARK).table("samples")
    assert set(samples.model) == {"base", "final", "final@2", "final@3"}
    finished(own=set())
    run = benchmark.run(benchmark.Params(study="s", samples=1, few_shot=0))
    row = run.table.set_index("domain").loc["math"]
    assert (row.verdict, row.as_recipe, row.runs) == ("better", "cannot tell", 1)


def test_step_4s_runs_say_how_far_runs_lie_apart():
    base, final = samples(lambda seed: "no"), samples(half_of_all)
    for run_sd, said in ((None, "cannot tell"), (0.02, "better"), (0.4, "cannot tell")):
        tested = benchmark.TestedDomain(
            "d", ITEMS, base, final, {}, GUESS, run_sd=run_sd
        )
        row = benchmark.compare_models(tested, rng_seed=7)[0]
        assert row["as_recipe"] == said


def test_what_flipped_is_listed_losses_first():
    tested = benchmark.TestedDomain(
        "d", ITEMS, samples(always_one), samples(half_of_all), {}, GUESS
    )
    flips = benchmark.flipped(tested)
    row = benchmark.compare_models(tested, rng_seed=7)[0]
    assert (flips.way == "lost").sum() == row["lost"] == 15
    assert (flips.way == "gained").sum() == row["gained"]
    assert flips.way.tolist() == sorted(flips.way, reverse=True)
    assert flips.prompt.str.startswith(("lop", "even")).all()
    same = benchmark.TestedDomain(
        "d", ITEMS, samples(solves), samples(solves), {}, GUESS
    )
    assert benchmark.flipped(same).empty
    assert "prompt" in benchmark.flipped(same)


def test_mcnemar_stands_beside_single_answers():
    tested = benchmark.TestedDomain(
        "d", ITEMS, samples(always_one), samples(solves), {}, GUESS
    )
    row = benchmark.compare_models(tested, rng_seed=7)[0]
    assert row["lost"] == 0
    assert row["mcnemar_p"] == pytest.approx(0.5 ** row["gained"])


# --- what is asked beside the sealed items ---


def test_suggested_benchmarks_are_those_of_the_kits_domains():
    params = benchmark.Params(domains=["math"], benchmarks=["suggested", "gsm8k"])
    names = [one.name for one in params.public()]
    assert names[0] == "aime-2024"
    assert names.count("gsm8k") == 1
    assert benchmark.Params(domains=["math"]).public() == []


def test_a_suggested_data_set_that_moved_on_is_another(tmp_path, monkeypatch):
    """Its digest is in the fingerprint as that of one that is named."""
    file = tmp_path / "items.jsonl"
    file.write_text('{"question": "1?", "answer": "1"}\n')
    local = benchmark.benchmark_table.get(str(file))
    monkeypatch.setattr(benchmark.benchmark_table, "get", lambda name: local)
    monkeypatch.setattr(completion, "model_fingerprint", lambda name: "weights")
    params = benchmark.Params(domains=["math"], benchmarks=["suggested"])
    before = params.external_digests()
    assert before == benchmark.Params(benchmarks=["x"]).external_digests()
    file.write_text('{"question": "2?", "answer": "2"}\n')
    assert params.external_digests() != before
