"""Step 3 from end to end on models of known ability: tiers, cost, honesty."""

import json

import numpy as np
import pandas as pd
import pytest
from fake_edge import collect, filtered, models, seed, table
from fake_models import Fake, cut, solver, stopped

from phi_kit.core.answer_style import STRONG_TOKEN_LIMITS
from phi_kit.core.errors import DataError, StudyError
from phi_kit.selection import question_rubric
from phi_kit.steps import filter_edge as step


@pytest.fixture(autouse=True)
def own_runs(runs, monkeypatch):
    monkeypatch.setattr(step.Params, "external_digests", lambda self: {})


def population(n=240, seed_=1):
    draw = np.random.default_rng(seed_)
    kinds = draw.choice(3, n, p=[0.6, 0.3, 0.1])
    betas = draw.beta(0.3, 12, n), draw.beta(3, 5, n), draw.beta(18, 1, n)
    return np.choose(kinds, betas)


def of_rates(monkeypatch, p):
    """Seeds of these pass rates, and a student who has them."""
    seeds = [seed(i) for i in range(len(p))]
    collect(seeds)
    rates = {s.prompt: float(rate) for s, rate in zip(seeds, p, strict=True)}
    student = solver(rates, {s.prompt: s.answer for s in seeds})
    models(monkeypatch, student=student)
    return student


@pytest.fixture
def many(monkeypatch):
    """240 seeds of known pass rates."""
    p = population()
    return p, of_rates(monkeypatch, p)


def test_every_seed_is_rated_and_tiers_are_mostly_true(many):
    p, _ = many
    run = filtered(budget=8.0)
    rows = run.table
    assert len(rows) == run.flow.read == 240
    assert (rows.right + rows.wrong == rows.n).all()
    assert ((rows.low <= rows.pass_rate) & (rows.pass_rate <= rows.high)).all()
    truth = np.array(["frontier", "teachable", "easy"])[np.digitize(p, (0.1, 0.75))]
    wrong = (rows.tier != truth).mean()
    assert wrong == pytest.approx(rows.risk.mean(), abs=0.05)
    assert wrong < 0.15
    assert run.result["tiers"] == rows.tier.value_counts().to_dict()
    assert set(run.result["risk"]) == set(rows.tier)


@pytest.mark.slow
def test_samples_go_where_they_are_needed_within_the_budget(many):
    run = filtered(budget=6.0)
    rows, samples = run.table, table("samples")
    assert samples.groupby("seed_id").size()[rows.id].tolist() == rows.n.tolist()
    assert (samples.groupby("seed_id")["sample"].max() + 1)[rows.id].tolist() == (
        rows.n.tolist()
    )
    assert 5.5 * 240 < rows.n.sum() <= 6 * 240
    assert rows.n[rows.right == 0].mean() < rows.n[rows.tier == "teachable"].mean()
    assert run.result["samples"] == round(rows.n.sum() / 240, 2)
    assert sum(run.result["rounds"]) == rows.n.sum()


@pytest.mark.slow
def test_another_teacher_is_another_outcome_though_nobody_asked_it(many):
    # Step 5 asks it about other seeds: it must not take its result for up to date.
    digests = [
        filtered(budget=2.0, max_samples=4, teacher=name).run_folder.manifest["digest"]
        for name in ("", "one", "another")
    ]
    assert len(set(digests)) == 3


@pytest.mark.slow
def test_more_samples_begin_with_the_same_ones(many):
    filtered(samples=4, max_samples=4)
    few = table("samples").set_index(["seed_id", "sample"]).text
    filtered(samples=8, max_samples=8)
    more = table("samples").set_index(["seed_id", "sample"]).text
    assert (more[few.index] == few).all()


@pytest.mark.slow
def test_survivors_are_measured_with_samples_that_did_not_choose_them(monkeypatch):
    p = np.random.default_rng(5).beta(0.8, 5, 300)  # many near the lower edge
    of_rates(monkeypatch, p)
    run = filtered(confirm=4, budget=4.0)
    rows = run.table
    chosen = rows.tier == "teachable"
    assert rows.fresh_rate.notna().tolist() == chosen.tolist()
    again = run.result["measured_afresh"]
    true = p[chosen].mean()
    assert again["chosen"]["accuracy"] > true + 0.03  # flattered: they were picked
    assert abs(again["fresh"]["accuracy"] - true) < 0.03
    assert abs(again["expected"]["accuracy"] - true) < 0.05
    old = set(table("samples").text) & set(table("fresh").text)
    wrong = [text for text in old if text.endswith(".5")]
    assert wrong == []  # wrong answers all differ: no sample came twice


@pytest.mark.slow
def test_without_confirmation_nothing_is_claimed(many):
    run = filtered(confirm=0)
    assert run.result["measured_afresh"] == {}
    assert "fresh_rate" not in run.table


@pytest.mark.slow
def test_the_controls_cost_what_the_teachable_rows_cost(many):
    run = filtered()
    rows, sizes = run.table, run.result
    assert rows.control.dtype == rows.unfiltered.dtype == bool
    for arm in ("control", "unfiltered"):
        assert sizes[arm]["rows"] == sizes["teachable"]["rows"] > 20
        assert sizes[arm]["trained"] == sizes["teachable"]["trained"]
        assert sizes[arm]["tokens"] == pytest.approx(
            sizes["teachable"]["tokens"], rel=0.02
        )
        both = rows[arm] & (rows.tier == "teachable")
        assert sizes[arm]["shared"] == both.sum() < sizes[arm]["rows"]
    assert (rows.control != rows.unfiltered).any()
    assert set(rows.tier[rows.control]) > {"teachable"}


@pytest.mark.slow
def test_the_same_parameters_give_the_same_rows(many):
    one = filtered().table
    pd.testing.assert_frame_equal(one, filtered().table)


@pytest.mark.slow
def test_priority_and_wanted(many, monkeypatch):
    _, student = many
    everyone = filtered().table
    teachable = everyone[everyone.tier == "teachable"]
    best = set(teachable.prompt.iloc[::3])

    def grade(prompt, draw, limit):
        anchors = [a.question in prompt for a in question_rubric.ANCHORS]
        hard = anchors[1] or any(f"\n{p}\n" in prompt for p in best)
        grades = {"steps": 4 if hard else 1, "complexity": 1, "reasoning": hard}
        return stopped(json.dumps(grades | {"well_posed": not anchors[2]}))

    models(monkeypatch, student=student, grader=Fake(grade))
    run = filtered(rubric_model="grader", wanted=len(best))
    rows = run.table
    assert set(rows.prompt[rows.tier == "teachable"]) == best
    assert (rows.tier == "spare").sum() == len(teachable) - len(best)
    assert run.flow.dropped["spare"] == len(teachable) - len(best)
    same = rows.tier.replace("spare", "teachable")
    assert same.tolist() == everyone.tier.tolist()  # grades move no tier
    assert rows.priority.notna().sum() == len(teachable)
    assert set(table().reasoning.dropna()) == {True, False}


# --- censored samples ---


@pytest.mark.slow
def test_cut_off_samples_are_not_wrong(monkeypatch):
    seeds = [seed(i) for i in range(40)]
    collect(seeds)
    answers = {s.prompt: s.answer for s in seeds}

    def say(prompt, draw, limit):
        number = int(answers[prompt])
        if number < 20 or limit > 16:  # given more tokens, half of them get there
            right = draw.random() < 0.5
            return stopped(answers[prompt] if right else "no")
        return cut()

    models(monkeypatch, student=Fake(say))
    run = filtered()
    rows = run.table
    long = rows[20:]
    assert (long.wrong == 0).all()
    assert (long.cut == long.n).all()
    assert (long.least == 0).all()
    assert (long.most == 1).all()
    assert (long.high == 1).all()
    assert run.result["cut_off"]["finished"] == 20
    low, high = (run.result["cut_off"][end] for end in ("low", "high"))
    assert low < 0.5 < high
    # Half of them turn right: no seed is called unsolvable for its length.
    assert "frontier" not in set(long.tier)
    assert long.pass_rate.between(0.25, 0.75).all()


def test_nothing_that_could_be_judged_is_no_tier(monkeypatch):
    seeds = [seed(i) for i in range(20)]
    collect(seeds)
    broken = {s.prompt for s in seeds[:3]}

    def unjudged(item, text):
        from phi_kit.verifiers.base import Verdict
        from phi_kit.verifiers.math import numeric

        if item.prompt in broken:
            return Verdict("unknown", "judge failed: no reply")
        return numeric.verify(item, text)

    from dataclasses import replace

    from phi_kit import domains

    math = replace(domains.get("math"), verifier=unjudged)
    monkeypatch.setattr(domains, "of", lambda params, name="": math)
    models(
        monkeypatch,
        student=Fake(lambda p, d, n: stopped(p[5:-1] if d.random() < 0.4 else "no")),
    )
    rows = filtered().table
    assert (rows.tier[:3] == "suspect").all()
    assert set(rows.why[:3]) == {"no sample could be judged"}
    assert (rows.unknown[:3] == rows.n[:3]).all()
    assert rows.pass_rate[:3].isna().all()


# --- suspects and the reference ---


@pytest.mark.slow
def test_a_student_sure_of_another_answer_doubts_only_a_gold_made_by_hand(monkeypatch):
    seeds = [seed(i) for i in range(30)] + [seed(i, made=False) for i in range(30, 32)]
    seeds += [seed(32)]
    collect(seeds)

    def say(prompt, draw, limit):
        number = int(prompt[5:-1])
        if number >= 31:
            return stopped("1000")
        return stopped(str(number) if draw.random() < 0.4 else "2")

    models(monkeypatch, student=Fake(say))
    rows = filtered().table.set_index("prompt")
    assert rows.tier["Item 31?"] == "suspect"
    assert rows.why["Item 31?"] == "the student answers '1000', not the gold"
    assert rows.tier["Item 32?"] == "frontier"
    assert rows.plurality["Item 32?"] == "1000"
    assert rows.share["Item 32?"] == 1
    assert rows.entropy["Item 32?"] == 0
    assert rows.logprob["Item 32?"] == -0.5


OPEN = json.dumps({"no_gold": True})


def test_seeds_without_gold_need_a_reference(monkeypatch):
    collect([seed(1), seed(2, "", extra=OPEN)])
    models(monkeypatch, student=Fake(lambda p, d, n: stopped("1")))
    with pytest.raises(DataError, match="1 of 2 seeds have no gold") as caught:
        filtered()
    assert "filter_edge.reference" in str(caught.value)


@pytest.fixture
def partly_open(monkeypatch):
    """Items 0-59 with gold, 60-79 without; on every fifth the reference is split."""
    seeds = [seed(i) for i in range(60)]
    seeds += [seed(i, "", extra=OPEN) for i in range(60, 80)]
    collect(seeds)

    def student(prompt, draw, limit):
        number = int(prompt[5:-1])
        rate = 0.0 if number % 4 == 0 else 0.4
        return stopped(str(number) if draw.random() < rate else f"{draw.random():.6f}")

    def strong(prompt, draw, limit):
        number = int(prompt[5:-1])
        if number % 5 == 0:
            return stopped(str(draw.integers(1000)))
        if number % 10 == 1:
            return stopped("13")  # sure and wrong
        return stopped(f"The answer is {number}.") if draw.random() < 0.97 else cut()

    named = {"student": Fake(student), "strong": Fake(strong)}
    models(monkeypatch, **named)
    return named


@pytest.mark.slow
def test_the_reference_answers_where_it_is_sure(partly_open):
    run = filtered(reference="strong", gold_slice=60)
    rows = run.table.set_index(run.table.prompt.str[5:-1].astype(int))
    split = rows.loc[[60, 65, 70, 75]]
    assert (split.tier == "suspect").all()
    assert set(split.why) == {"the reference is split"}
    assert (split.n == 0).all()
    assert not (split.control | split.unfiltered).any()
    answered = rows.loc[[i for i in range(60, 80) if i % 5 and i % 10 != 1]]
    assert (answered.answer == answered.index.astype(str)).all()
    assert (answered.tier[answered.index % 4 != 0] != "suspect").all()
    assert json.loads(answered.extra.iloc[0]) == {"answered_by": ["strong"]}
    assert run.flow.read == 80
    report = run.result["reference"]
    assert (report["without_gold"], report["answered"]) == (20, 16)


@pytest.mark.slow
def test_a_gold_slice_says_how_often_the_reference_is_wrong(partly_open):
    run = filtered(reference="strong", gold_slice=60)
    found = run.result["reference"]["gold_slice"]
    assert found["asked"] == 60
    assert found["sure"] == 48
    assert found["wrong"] == 6  # 1, 11, …, 51
    assert found["share"] == 6 / 48
    assert found["low"] < 6 / 48 < found["high"]
    asked = table("reference")
    assert asked.asked_as.value_counts()[["no gold", "gold slice"]].tolist() == [20, 60]


@pytest.mark.slow
def test_never_solved_is_frontier_only_if_the_reference_is_sure(partly_open):
    rows = filtered(reference="strong").table
    rows = rows.set_index(rows.prompt.str[5:-1].astype(int)).loc[:59]
    unsolved = rows.loc[list(range(0, 60, 4))]
    tiers = unsolved.tier.groupby(unsolved.index % 5 == 0).unique()
    assert tiers[True].tolist() == ["suspect"]
    assert tiers[False].tolist() == ["frontier"]
    # What the student solves stays, whatever the reference thinks of it.
    assert (rows.tier[(rows.index % 4 != 0) & (rows.index % 5 == 0)] != "suspect").all()


@pytest.mark.parametrize("style", ["answer", "think"])
def test_a_reference_may_think_as_long_as_the_style_needs(style, monkeypatch):
    """512 tokens for all styles cut every thought off, and no reference was sure."""
    collect([seed(n) for n in range(40)], style)
    limits = []

    def strong(prompt, draw, limit):
        limits.append(limit)
        return stopped(prompt[5:-1])

    models(monkeypatch, student=Fake(lambda *_: stopped("no")), strong=Fake(strong))
    with pytest.raises(DataError):  # nothing is teachable: asked is the reference
        filtered(reference="strong", gold_slice=4)
    assert set(limits) == {STRONG_TOKEN_LIMITS[style]}
    given = step.Params(reference="strong", reference_tokens=99)
    assert given.rules(style).tokens == 99


@pytest.mark.slow
def test_a_second_family_must_agree(partly_open, monkeypatch):
    odd = Fake(
        lambda prompt, draw, limit: stopped(
            prompt[5:-1] if prompt[-2] in "13579" else "5"
        )
    )
    models(monkeypatch, **partly_open, other=odd)
    run = filtered(reference="strong", reference2="other")
    asked = table("reference")
    numbers = asked.prompt.str[5:-1].astype(int)
    sure = set(numbers[asked.sure])
    assert sure
    assert all(number % 2 == 1 and number % 10 not in (1, 5) for number in sure)
    assert run.result["reference"]["models"] == ["strong", "other"]


def test_a_reference_that_is_never_sure_ends_with_a_message(monkeypatch):
    collect([seed(i, "", extra=OPEN) for i in range(5)])
    noise = Fake(lambda prompt, draw, limit: stopped(str(draw.integers(10**6))))
    models(monkeypatch, student=noise, strong=noise)
    with pytest.raises(DataError, match="none of 5 seeds has an answer"):
        filtered(reference="strong")


# --- parameters ---


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"samples": 8, "max_samples": 4}, "samples should not be above max_samples"),
        ({"band_low": 0.8}, "band_low should be below band_high"),
        ({"reference2": "x"}, "give a reference too"),
        ({"prefer": "closest", "score": "none"}, "closest goes by the score"),
        ({"risk": 1.0}, "risk"),
        ({"budget": 0.5}, "budget"),
    ],
)
def test_parameters_that_make_no_sense(given, said):
    with pytest.raises(StudyError, match=said):
        step.Params.validated(given, where="here")


def test_no_teachable_seed_says_what_to_do(monkeypatch):
    collect([seed(i) for i in range(8)])
    models(monkeypatch, student=Fake(lambda p, d, n: stopped("x")))
    with pytest.raises(DataError, match="no seed is teachable"):
        filtered()
