"""How much the steps of a study will do, from its file alone."""

from pathlib import Path

import pytest

from phi_kit.core.answer_style import STRONG_TOKEN_LIMITS, TOKEN_LIMITS
from phi_kit.core.errors import DataError
from phi_kit.evaluation.benchmarks import regression_suite
from phi_kit.responses.response_config import ResponseConfig
from phi_kit.study import config
from phi_kit.study.planning.workload import (
    REWRITING,
    SeedOutlook,
    TeacherLoad,
    seeds_read,
    teacher_samples,
    workload,
)

SUITE = len(regression_suite.items())
STUDY = Path(__file__).with_name("planned.yaml")
OUTLOOK = SeedOutlook(0.4, 0.5, untaught=0.25, right=0.5, variants=0.6, prompt=50)
TEACHER = "teacher=http://127.0.0.1:9/v1#m"  # nobody is there, nor need be


def counted(*sets, outlook=OUTLOOK):
    study = config.load(STUDY, sets).units()
    seeds = {
        unit.domain: seeds_read(unit.params)
        for unit in study
        if unit.step == "collect_seeds"
    }
    outlooks = dict.fromkeys(seeds, outlook)
    loads = workload(study, seeds=seeds, outlooks=outlooks, kept_rows={})
    return {(load.unit.step, load.unit.domain): load for load in loads}


def drawn(load, how="plain"):
    return sum(n for kind, n in load.samples.items() if kind.how == how)


def seen(load):
    return sum(load.rows.values())


def test_the_work_of_every_step():
    found = counted()
    assert drawn(found["pick_domain", "math"]) == 100 * 2
    assert drawn(found["collect_seeds", "math"]) == 0
    assert drawn(found["filter_edge", "math"]) == 5 * 100 + 2 * 40
    probe = found["probe_sft", "math"]
    assert drawn(probe, "tuned") == 3 * 200  # three arms, each asks dev
    assert seen(probe) == 3 * 50 * 3  # three arms, three epochs
    assert probe.runs == 3
    expand = found["expand_domains", ""]
    assert drawn(expand, "tuned") == 3 * (200 + 200)  # A, B, A+B on both domains
    frozen = 50 / 0.25
    assert seen(expand) == pytest.approx(4 * frozen)  # alone, and together
    assert expand.runs == 3
    more = counted("expand_domains.organic_alone=true")["expand_domains", ""]
    assert drawn(more, "tuned") == 4 * (200 + 200)  # each alone, on its own domain
    assert (seen(more), more.runs) == (pytest.approx(6 * frozen), 5)
    test = found["benchmark", ""]  # base, the final adapter, the arm `own`
    assert drawn(test) == 2 * 100 * 3 + SUITE
    assert drawn(test, "tuned") == 2 * 2 * 100 * 3 + SUITE
    assert all(load.teacher == TeacherLoad() for load in found.values())


def test_probes_between_rounds_are_counted():
    """Two of three rounds are probed: on dev, and on the seeds that are rewritten."""
    load = counted("synthesize.rounds=3", "synthesize.round_samples=4")[
        "synthesize", "math"
    ]
    assert drawn(load, "tuned") == 2 * (200 + 4 * 50)
    made = 50 / 0.25 - 50
    assert seen(load) == pytest.approx(3 * (2 * 50 + made / 3 + 2 * made / 3))
    assert load.runs == 2
    assert counted()["synthesize", "math"].runs == 0


def test_controls_with_examples_in_the_prompt_are_samples_of_their_own():
    found = counted()
    shown = {key: drawn(load, "shown") for key, load in found.items()}
    assert shown["filter_edge", "math"] == 2 * 100
    assert shown["probe_sft", "math"] == 200
    assert shown["benchmark", ""] == 2 * 100 * 3
    assert sum(shown.values()) == 2 * (200 + 200) + 600
    none = ["filter_edge.own_samples=0", "probe_sft.few_shot=0", "benchmark.few_shot=0"]
    assert not any(drawn(load, "shown") for load in counted(*none).values())
    bare = counted("style=answer")  # its own arm asks nobody again
    assert drawn(bare["filter_edge", "math"], "shown") == 0


def test_without_the_arm_own_nobody_asks_it_the_test_items():
    found = counted("probe_sft.arms=[random, teachable]", "benchmark.few_shot=0")
    assert drawn(found["benchmark", ""], "tuned") == 2 * 100 * 3 + SUITE


def test_every_final_adapter_is_trained_and_asked():
    once = counted()
    found = counted("expand_domains.train_seeds=[1, 2, 3]")
    more = found["expand_domains", ""]
    assert more.runs == once["expand_domains", ""].runs + 2
    assert seen(more) == pytest.approx(seen(once["expand_domains", ""]) * 8 / 4)
    asked, usual = found["benchmark", ""], once["benchmark", ""]
    assert drawn(asked, "tuned") == drawn(usual, "tuned") + 2 * 2 * 100 * 3


def test_adapters_of_one_domain_may_see_as_much_as_the_merged_one():
    frozen, sets = 50 / 0.25, ["expand_domains.equal_tokens=true"]
    assert seen(counted(*sets)["expand_domains", ""]) == pytest.approx(6 * frozen)
    sets.append("expand_domains.predict_mix={trained: [0.2, 0.5, 0.8]}")
    expand = counted(*sets)["expand_domains", ""]
    assert expand.runs == 3 + 3
    assert seen(expand) == pytest.approx((6 + 3 * 2) * frozen)
    assert drawn(expand, "tuned") == (3 + 3 + 9) * (200 + 200)  # nine sums as well


def test_a_number_of_tokens_for_adapters_of_one_domain_is_counted_in_rows():
    frozen, sets = 50 / 0.25, ["expand_domains.domain_tokens=3000"]
    outlook = OUTLOOK._replace(trained=30)
    expand = counted(*sets, outlook=outlook)["expand_domains", ""]
    assert seen(expand) == pytest.approx(2 * 100 + 2 * frozen)
    sets.append("expand_domains.organic_alone=true")
    expand = counted(*sets, outlook=outlook)["expand_domains", ""]
    assert seen(expand) == pytest.approx(4 * 100 + 2 * frozen)
    unknown = counted(*sets)["expand_domains", ""]  # no row has been encoded
    assert seen(unknown) == pytest.approx(6 * frozen)


def test_benchmarks_are_counted_where_their_items_are_known(tmp_path):
    rows = "".join(f'{{"question": "{n}?", "answer": "{n}"}}\n' for n in range(30))
    (tmp_path / "mine.jsonl").write_text(rows)
    named = f"benchmark.benchmarks=[gsm8k, {tmp_path}/mine.jsonl]"
    usual = drawn(counted()["benchmark", ""])
    load = counted(named)["benchmark", ""]
    assert load.uncounted == ("gsm8k",)
    assert drawn(load) == usual + 30
    load = counted(named, "benchmark.benchmark_items=20")["benchmark", ""]
    assert load.uncounted == ()
    assert drawn(load) == usual + 20 + 20


def test_samples_are_as_long_as_the_style_lets_them_be():
    found = counted("style=think", "puzzles.style=steps")
    asked = {("math", TOKEN_LIMITS["think"]), ("puzzles", TOKEN_LIMITS["steps"])}
    for (step, domain), load in found.items():
        if step not in ("collect_seeds", "synthesize"):
            among = (domain,) if domain else ("math", "puzzles")
            kinds = {(kind.domain, kind.limit) for kind in load.samples}
            kinds -= {("math", regression_suite.MAX_TOKENS)}
            assert kinds == {one for one in asked if one[0] in among}, step


def test_a_teacher_answers_what_earlier_sources_leave():
    """A quarter of 100 seeds, each once, then twice more as long as none is right."""
    found = counted(TEACHER, "filter_edge.teacher_most=4")
    one_seed = 1 + 2 / 2 + 1 / 8
    edge = found["filter_edge", "math"].teacher
    assert edge.samples == pytest.approx(25 * one_seed)
    assert edge.written == pytest.approx(25 * one_seed * STRONG_TOKEN_LIMITS["steps"])
    assert edge.read == pytest.approx(25 * one_seed * 50)
    variants = found["synthesize", "math"].teacher
    assert variants.samples == pytest.approx(0.6 * 50 * one_seed)
    both = TeacherLoad.of(found.values())
    assert both.samples == pytest.approx(2 * (25 + 30) * one_seed)
    assert both.tokens == both.read + both.written
    # Its budget is a domain's, not a step's: what step 3 leaves of it is step 5's.
    few = counted(
        TEACHER, "filter_edge.teacher_most=4", "filter_edge.teacher_budget=60"
    )
    edge, variants = (
        few[step, "math"].teacher for step in ("filter_edge", "synthesize")
    )
    assert edge.samples == pytest.approx(25 * one_seed)
    assert edge.samples + variants.samples == 60
    assert TeacherLoad.of(few.values()).samples == 2 * 60
    # A student that is asked nothing more is the same with and without a teacher.
    assert (
        found["filter_edge", "math"].samples == counted()["filter_edge", "math"].samples
    )


def test_a_teacher_that_the_study_does_not_ask():
    found = counted(TEACHER, "responses=[worked]")
    assert TeacherLoad.of(found.values()) == TeacherLoad()


@pytest.mark.parametrize(
    ("config", "right", "samples"),
    [
        ({}, 0.5, 1 + 1 + 0.25 + 0.0625 + 1 / 128),
        ({}, 1.0, 1),
        ({}, 0.0, 8),  # all its tries
        ({"teacher_samples": 3, "teacher_most": 3}, 0.0, 3),
        ({"teacher_more": 0}, 0.0, 1),  # no further round
        ({"teacher_most": 2}, 0.5, 1.5),  # the last round is cut
    ],
)
def test_rounds_of_a_teacher(config, right, samples):
    found = teacher_samples(ResponseConfig(**config), 100, right=right)
    assert found == pytest.approx(100 * samples)


def test_what_models_rewrite_is_counted():
    """Of 50 seeds: two rewrites, two second answers to one of them, and responses."""
    sets = [TEACHER, "filter_edge.teacher_most=1", "synthesize.second_answers=2"]
    sets.append("synthesize.transforms=[paraphrase, retell, bridge]")
    load = counted(*sets)["synthesize", "math"]
    rewrites, again, responses = 2 * 50, 2 * 50, (1 + 0.6) * 50
    assert load.teacher.samples == pytest.approx(rewrites + again + responses)
    asked = 50 * (rewrites + again + responses) + REWRITING * rewrites
    assert load.teacher.read == pytest.approx(asked)
    assert drawn(load) == 50  # the student tells its solutions again
    off = counted(*sets, 'synthesize.gate="off"')["synthesize", "math"]
    assert off.teacher.samples == pytest.approx(rewrites + responses)
    few = counted(*sets, "filter_edge.teacher_budget=150")
    edge, made = (few[name, "math"].teacher for name in ("filter_edge", "synthesize"))
    assert (edge.samples, edge.samples + made.samples) == (25, 150)


def test_a_hint_is_given_where_no_source_before_it_helps():
    plain = drawn(counted()["filter_edge", "math"])
    found = counted("responses=[worked, hinted]")["filter_edge", "math"]
    assert drawn(found) == plain + 2 * 25


@pytest.mark.parametrize(
    ("change", "runs"),
    [
        ("probe_sft.train_seeds=[1, 2, 3]", 9),
        ("probe_sft.search={learning_rate: [1e-3, 5e-4], rank: [8, 16]}", 3 + 4),
        ("probe_sft.dose=[0.25, 0.5, 1]", 3 + 2),
        ("probe_sft.arms=[teachable]", 1),
    ],
)
def test_more_runs_are_counted(change, runs):
    found = counted(change)["probe_sft", "math"]
    assert found.runs == runs
    assert drawn(found, "tuned") == runs * 200
    if "dose" in change:
        assert seen(found) == 150 * (3 + 0.25 + 0.5)


@pytest.mark.parametrize("step", ["probe_sft", "expand_domains"])
def test_early_stopping_asks_more_often(step):
    key = (step, "math" if step == "probe_sft" else "")
    plain, often = (
        drawn(counted(f"{step}.eval_steps={n}")[key], "tuned") for n in (0, 2)
    )
    assert often > plain


def test_a_wish_for_few_rows_bounds_training():
    found = counted("filter_edge.wanted=10")
    assert seen(found["probe_sft", "math"]) == 3 * 10 * 3


def test_the_best_recipe_is_the_probes():
    sets = ["expand_domains.recipe=best"]
    own, best = (seen(counted(*some)["expand_domains", ""]) for some in ([], sets))
    assert best == pytest.approx(3 * own)


def test_sources_without_limit_are_counted(tmp_path):
    file = tmp_path / "own.jsonl"
    file.write_text('{"question": "1 + 1", "answer": "2"}\n' * 30)
    source = f"[{{path: {file}, question: question, answer: answer}}]"
    found = counted(f"math.collect_seeds.sources={source}")
    assert drawn(found["filter_edge", "math"]) == 5 * 30 + 2 * 12
    with pytest.raises(DataError, match="without a limit"):
        counted("math.collect_seeds.sources=[{hub: openai/gsm8k}]")
