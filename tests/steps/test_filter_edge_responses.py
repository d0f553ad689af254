"""Step 3's responses: what may be taught, whose it is, and which seeds it makes."""

import json
from collections import Counter
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from fake_edge import collect, filtered, models, seed, table
from fake_models import Fake, cut, solver, stopped

from phi_kit import domains
from phi_kit.core.errors import DataError
from phi_kit.data.generators import generate_items
from phi_kit.data.planted_faults import plant_wrong_golds
from phi_kit.data.records import TRUE_GOLD, Seed
from phi_kit.responses import collect as collecting
from phi_kit.responses.checks import SEALED, ResponseChecks
from phi_kit.responses.from_gold import GoldSource
from phi_kit.selection import tiers
from phi_kit.selection.reference_answers import NO_GOLD
from phi_kit.steps import filter_edge as step
from phi_kit.training.arms import responses_of_arm, rows_of_arm

ARMS = ("random", "unfiltered", "teachable", "teachable+frontier")
PLACES = ("sometimes", "never", "gap")


@pytest.fixture(autouse=True)
def own_runs(runs, monkeypatch):
    monkeypatch.setattr(step.Params, "external_digests", lambda self: {})


def added(a, b, **more):
    """A sum, which the kit knows a worked way for."""
    asked = f"Solve the following arithmetic problem: {a} + {b} ="
    made = {"family": "sum-1", "source": "reasoning-gym/chain_sum"}
    return Seed("math", asked, str(a + b), **made | more)


SUMS = [added(a, b) for a in range(4) for b in range(10)]  # 40


def steps_to(answer):
    return f"It is counted on the fingers.\nAnswer: {answer}"


class Shown(Fake):
    """A fake that keeps what it was shown before each question."""

    def __init__(self, say):
        super().__init__(say)
        self.shown = {}

    def render(self, instruction, prompt, *, thinking=False, examples=()):
        if examples:
            self.shown[prompt] = examples
        return prompt


def student(rates, *, says=steps_to):
    """Who answers each seed at its rate, in steps; wrong answers all differ."""
    answers = {seed.prompt: says(seed.answer) for seed in rates}
    chances = {seed.prompt: rate for seed, rate in rates.items()}

    def say(prompt, draw, limit):
        if draw.random() < chances[prompt]:
            return stopped(answers[prompt])
        return stopped(says(f"{draw.integers(10**9)}.5"))

    return Shown(say)


def half_and_never():
    """The first half of the sums is solved now and then, the second never."""
    return {seed: 0.45 if n < 20 else 0.0 for n, seed in enumerate(SUMS)}


def place_of(rows, tier):
    return set(rows.place[rows.tier == tier])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "style", "rule"),
    [
        ({}, "steps", "gap"),
        ({"teachable": "gap"}, "steps", "gap"),
        ({"teachable": "band"}, "steps", "band"),
        ({}, "answer", "band"),
        ({"teachable": "gap"}, "answer", "gap"),
    ],
)
def test_what_is_never_solved_is_teachable_if_somebody_shows_how(
    monkeypatch, given, style, rule
):
    collect(SUMS, style)
    says = steps_to if style == "steps" else str
    models(monkeypatch, student=student(half_and_never(), says=says))
    run = filtered(**given)
    rows = run.table
    assert (rows.responses == 1).all()
    below = rows.place == "below"
    assert below.sum() >= 15
    assert set(rows.tier[below]) == {"teachable" if rule == "gap" else "frontier"}
    assert place_of(rows, "teachable") >= {"inside"}
    assert run.result["responses"]["teachable"] == rule
    assert run.result["never_solved"] == ""  # nothing was cut off


@pytest.mark.slow
def test_a_seed_without_a_right_response_is_in_no_arm(monkeypatch):
    known, unknown = SUMS[:24], [seed(n) for n in range(24)]
    every = [one for pair in zip(known, unknown, strict=True) for one in pair]
    rates = {one: 0.45 if n % 4 < 2 else 0.0 for n, one in enumerate(every)}
    collect(every, "steps")
    models(monkeypatch, student=student(rates))
    run = filtered(responses=["worked"])
    rows = run.table
    lacking = rows.family == "f"
    assert (rows.responses[lacking] == 0).all()
    assert (rows.responses[~lacking] == 1).all()
    assert set(rows.tier[lacking]) <= {tiers.NO_RESPONSE, "frontier", "easy"}
    assert place_of(rows[lacking], tiers.NO_RESPONSE) == {"inside"}
    assert place_of(rows[lacking], "frontier") == {"below"}
    for arm in (*ARMS, *PLACES):
        assert set(rows_of_arm(rows, arm).family) == {"sum-1"}, arm
    assert run.flow.dropped[tiers.NO_RESPONSE] == (rows.tier == "no response").sum()
    assert run.flow.read == run.flow.kept + sum(run.flow.dropped.values()) == 48
    assert run.result["responses"]["without"] == 24


@pytest.mark.slow
def test_what_was_made_is_kept_or_dropped_for_a_reason(monkeypatch):
    """Of the study's sources, and of the student's own for that arm."""
    collect([*SUMS, *(seed(n) for n in range(12))], "steps")
    rates = half_and_never() | {seed(n): 0.6 for n in range(12)}
    models(monkeypatch, student=student(rates))
    run = filtered()
    told, responses = run.result["responses"], table("responses")
    for part in (told, told["own"], *told["sources"].values()):
        assert part["made"] == part["kept"] + sum(part["dropped"].values())
    assert sum(part["made"] for part in told["sources"].values()) == told["made"]
    assert responses.kept.sum() == told["kept"] == run.table.responses.sum()
    assert responses.own.sum() == told["own"]["kept"] == run.table.own_responses.sum()
    taught = responses.kept | responses.own
    assert (responses.reason[~taught] != "").all()
    assert (responses.reason[responses.kept] == "").all()
    key = ["seed_id", "source", "model", "attempt"]
    assert not responses.duplicated(key).any()
    assert set(responses.source[responses.kept]) == {"worked", "student"}


@pytest.mark.slow
def test_a_planted_gold_gets_no_response(monkeypatch):
    """Nobody finds a way to it, not even who happens to say it."""
    family = domains.get("math").in_style("steps").chosen(["sum-1"])[0]
    stream = generate_items("math", family, rng_seed=7, split="train")
    stream = {one.prompt: one for one in islice(stream, 90)}.values()
    seeds = list(islice(plant_wrong_golds(iter(stream), 0.2, 1), 40))
    planted = {one.id for one in seeds if TRUE_GOLD in one.facts}
    assert len(planted) == 8
    collect(seeds, "steps")
    said = {one.prompt: one.answer for one in seeds}

    def say(prompt, draw, limit):
        begin = prompt.rpartition(":")[2].strip()
        fits = draw.random() < 0.5
        answer = said[prompt] if fits else str(draw.integers(100, 999))
        return stopped(f"{begin} {answer}\nAnswer: {answer}")

    models(monkeypatch, student=Fake(say))
    run = filtered()
    rows = run.table.set_index("id")
    assert (rows.loc[list(planted)].responses == 0).all()
    assert (rows.loc[list(planted)].own_responses == 0).all()
    assert (rows.drop(list(planted)).responses == 1).all()
    assert not set(rows.index[rows.tier == "teachable"]) & planted
    reasons = table("responses").set_index("seed_id").loc[list(planted)]
    assert set(reasons.source) == {"student", "few-shot"}  # the kit has no way either
    assert set(reasons[reasons.verdict == "right"].reason) == {"false step"}


@pytest.mark.slow
def test_bare_answers_are_chosen_and_matched_as_before(monkeypatch):
    """Every gold is a response, and the student's pass rate alone makes the tiers."""
    seeds = [seed(n) for n in range(120)]
    rates = np.random.default_rng(3).choice([0.0, 0.4, 1.0], len(seeds))
    collect(seeds)
    chances = {one.prompt: rate for one, rate in zip(seeds, rates, strict=True)}
    models(monkeypatch, student=solver(chances, {s.prompt: s.answer for s in seeds}))
    run = filtered(responses=["answer"])
    rows, responses = run.table, table("responses")
    assert responses.text[responses.kept].tolist() == [one.answer for one in seeds]
    assert run.result["responses"]["kept"] == 120
    as_rated = dict(zip(tiers.PLACES, tiers.TIER_NAMES, strict=True))
    assert rows.tier.tolist() == rows.place.map(as_rated).tolist()
    tokens = [-(-len(one.answer) // 4) for one in seeds]
    assert rows.trained.tolist() == tokens
    teachable = run.result["teachable"]
    assert run.result["control"]["trained"] == teachable["trained"]
    assert run.result["control"]["rows"] == teachable["rows"]
    pairs = responses_of_arm(rows, responses, "teachable")
    golds = {one.id: one.answer for one in seeds}
    assert pairs == [(name, golds[name]) for name in rows.id[rows.tier == "teachable"]]
    assert filtered().result["teachable"] == teachable  # no name means the same


@pytest.mark.parametrize("name", ["math", "puzzles", "stem", "coding"])
def test_every_gold_of_the_usual_families_may_be_trained_on(name):
    """In the style of bare answers: none is lost to a check meant for steps."""
    domain = domains.get(name)
    seeds = [
        one
        for family in domain.chosen()
        for one in islice(generate_items(name, family, rng_seed=7, split="train"), 12)
    ]
    checks = ResponseChecks(domain, Fake(None), 16)
    found = collecting.collect([GoldSource("answer")], seeds, checks)
    dropped = found.table[~found.table.kept]
    assert dropped[["text", "reason", "detail"]].to_numpy().tolist() == []
    assert len(found.table) == len(set(seeds)) > 24


@pytest.mark.slow
def test_controls_are_equal_in_response_tokens(monkeypatch):
    """Longer ways cost more: as many rows are not as many tokens."""
    seeds = [added(10**n + a, 10**n + a + 1) for n in range(5) for a in range(8)]
    rates = {one: (0.4, 1.0)[n % 2] for n, one in enumerate(seeds)}
    collect(seeds, "steps")
    models(monkeypatch, student=student(rates))
    run = filtered()
    rows, responses = run.table, table("responses")
    text = responses[responses.kept].set_index("seed_id").text
    tokens = [-(-len(text[name].encode()) // 4) for name in rows.id]
    assert rows.trained.tolist() == tokens
    assert rows.trained.nunique() > 5
    sizes = run.result
    for arm in ("control", "unfiltered"):
        assert sizes[arm]["rows"] == sizes["teachable"]["rows"]
        off = abs(sizes[arm]["trained"] - sizes["teachable"]["trained"])
        assert off <= 0.02 * sizes["teachable"]["trained"]
        assert sizes[arm]["shared"] < sizes[arm]["rows"]


@pytest.mark.slow
def test_several_responses_of_a_seed_all_count(monkeypatch):
    collect(SUMS, "steps")

    def say(prompt, draw, limit):
        a, b = prompt.split(":")[1].rstrip(" =").split("+")
        word = ("so", "then", "hence", "thus")[draw.integers(4)]
        right = int(a) + int(b) if draw.random() < 0.4 else 77
        return stopped(f"I count on, {word} {right} it is.\nAnswer: {right}")

    models(monkeypatch, student=Fake(say))
    run = filtered(responses=["student"], keep=3, own_samples=0)
    rows, responses = run.table, table("responses")
    kept = responses[responses.kept]
    assert rows.responses.max() == 3
    assert not kept.duplicated(["seed_id", "text"]).any()
    tokens = kept.text.map(lambda text: -(-len(text) // 4)).groupby(kept.seed_id).sum()
    taught = rows[rows.responses > 0].set_index("id")
    assert taught.trained.to_dict() == tokens.loc[taught.index].to_dict()
    assert len(responses_of_arm(rows, responses, "gap")) == (
        rows.responses[rows.tier == "teachable"].sum()
    )


# --- the reference as a teacher ---


TEACHER_TOKENS = 600  # the reference may have more


@pytest.fixture
def asked_twice(monkeypatch):
    """A strong model that is reference and teacher; it fails on every third seed."""
    seeds = [seed(n) for n in range(36)]
    seeds += [seed(n, "", extra=json.dumps({NO_GOLD: True})) for n in range(36, 42)]
    collect(seeds, "steps")

    def weak(prompt, draw, limit):
        number = int(prompt[5:-1])
        right = number % 4 and draw.random() < 0.4
        return stopped(steps_to(number if right else f"{draw.random():.9f}"))

    def strong(prompt, draw, limit):
        number = int(prompt[5:-1])
        # Asked as a reference it is right and shows no steps that can be taught.
        if number % 3 == 0 and limit != TEACHER_TOKENS:
            return cut() if draw.random() < 0.2 else stopped(f"Answer: {number}")
        return stopped(steps_to(number))

    named = {"student": Fake(weak, "student"), "strong": Fake(strong, "strong")}
    models(monkeypatch, **named)
    return named["strong"]


def requests(model):
    return Counter((one.prompt, one.seed) for call in model.asked for one in call)


@pytest.mark.parametrize("gold_slice", [0, 36])
def test_a_reference_that_teaches_is_asked_nothing_twice(asked_twice, gold_slice):
    run = filtered(
        reference="strong",
        teacher="strong",
        responses=["teacher"],
        reference_samples=4,
        teacher_tokens=TEACHER_TOKENS,
        gold_slice=gold_slice,
    )
    assert set(requests(asked_twice).values()) == {1}
    spent, responses = run.result["responses"]["teacher"], table("responses")
    teacher = responses[responses.source == "teacher"]
    assert len(teacher) == spent["samples"] + spent["reused"]
    assert spent["reused"] % 4 == 0
    attempts = teacher.groupby("seed_id").attempt.apply(sorted)
    assert all(found == list(range(len(found))) for found in attempts)
    # Where the reference showed its steps, its answers are the responses.
    rows = run.table.set_index("id")
    numbers = rows.prompt.str[5:-1].astype(int)
    shown = teacher.groupby("seed_id").size()[rows.index]
    if gold_slice:
        assert (shown[numbers % 3 != 0] == 4).all()
        assert (shown[numbers % 3 == 0] > 4).all()
        assert spent["samples"] == (shown - 4).sum()
    assert (rows.responses == 1).all()


@pytest.mark.slow
def test_what_the_gold_slice_said_counts_where_the_student_fails(asked_twice):
    """A seed of the slice that is never solved is not asked for a second opinion."""
    run = filtered(reference="strong", responses=["student"], gold_slice=36)
    unsolved = run.result["reference"]["never_solved"]["asked"]
    assert unsolved >= 9
    asked = table("reference")
    assert (asked.asked_as == "never solved").sum() == unsolved
    assert sum(requests(asked_twice).values()) == 8 * (36 + 6)


def test_a_references_answers_teach_only_under_its_own_name(asked_twice, monkeypatch):
    other = Fake(lambda prompt, draw, limit: stopped(steps_to(prompt[5:-1])), "other")
    named = {"strong": asked_twice, "other": other, "student": Fake(lambda *_: cut())}
    models(monkeypatch, **named)
    run = filtered(
        reference="strong", teacher="other", responses=["teacher"], teachable="gap"
    )
    responses = table("responses")
    assert set(responses.model[responses.kept]) == {"other"}
    assert run.result["responses"]["teacher"]["reused"] == 0


def test_a_budget_is_not_for_seeds_whose_gold_is_in_doubt(monkeypatch):
    doubted = [seed(n, made=False) for n in range(12)]
    seeds = [*doubted, *(seed(n) for n in range(12, 36))]
    collect(seeds, "steps")

    def weak(prompt, draw, limit):
        number = int(prompt[5:-1])
        right = number >= 12 and draw.random() < 0.4
        wrong = 99 if number < 12 else f"{draw.random():.9f}"
        return stopped(steps_to(number if right else wrong))

    strong = Fake(lambda prompt, *_: stopped(steps_to(prompt[5:-1])), "strong")
    models(monkeypatch, student=Fake(weak, "student"), strong=strong)
    run = filtered(teacher="strong", responses=["teacher"], teacher_budget=24)
    rows = run.table
    assert (rows.tier[:12] == "suspect").all()
    assert rows.responses.tolist() == [0] * 12 + [1] * 24


@pytest.mark.slow
def test_a_response_that_holds_a_held_out_item_is_not_taught(monkeypatch):
    item = Seed("math", "A farm has 3 cows and 5 hens. How many legs are there?", "22")
    told = f"It is like this: {item.prompt} 2 + 2 = 4.\n#### {SUMS[0].answer}"
    collect([replace(SUMS[0], solution=told), *SUMS[1:]], "steps", sealed=[item])
    models(monkeypatch, student=student(half_and_never()))
    filtered(responses=["source", "worked"])
    first = table("responses").iloc[0]
    assert (first.source, first.kept, first.reason) == ("source", False, SEALED)


# --- the student's own ---


@pytest.mark.slow
def test_the_students_own_are_the_ones_it_got_right(monkeypatch):
    collect(SUMS, "steps")
    model = student(half_and_never())
    models(monkeypatch, student=model)
    run = filtered(own_samples=3, own_examples=2)
    rows, responses = run.table, table("responses")
    own = responses[responses.own]
    assert set(own.source) <= {"student", "few-shot"}
    assert (own.verdict == "right").all()
    assert (own.finish == "stop").all()
    assert not own.kept.any()  # the worked ways come first
    assert (rows.own_responses[20:] == 0).all()
    assert (rows.own_responses[:20] == 1).sum() > 10
    chosen = {one.id for one in SUMS if one.id in set(own.seed_id)}
    assert set(rows_of_arm(rows, "own").id) == chosen
    # Asked again, with examples, was only what it had not solved by itself.
    again = responses[responses.source == "few-shot"]
    assert (again.groupby("seed_id").size() == 3).all()
    first = responses[(responses.source == "student") & responses.own]
    assert not set(again.seed_id) & set(first.seed_id)
    by_prompt = {one.prompt: one.id for one in SUMS}
    assert {by_prompt[prompt] for prompt in model.shown} == set(again.seed_id)
    for prompt, examples in model.shown.items():
        assert 1 <= len(examples) <= 2
        assert prompt not in [question for question, _ in examples]
        assert all("Answer:" in shown for _, shown in examples)


@pytest.mark.slow
def test_without_more_samples_the_student_is_asked_nothing_more(monkeypatch):
    collect(SUMS, "steps")
    model = student(half_and_never())
    models(monkeypatch, student=model)
    run = filtered(own_samples=0, confirm=0)
    asked = sum(len(call) for call in model.asked)
    assert asked == run.table.n.sum() == len(table("samples"))
    assert set(table("responses").source) == {"worked", "student"}


@pytest.mark.slow
def test_examples_come_from_trusted_seeds(monkeypatch):
    """A seed whose gold is in doubt teaches nobody, in no prompt either."""
    doubted = [replace(one, source="mine.csv") for one in SUMS[:10]]
    seeds = doubted + SUMS[10:]
    rates = dict.fromkeys(SUMS[10:], 0.4) | dict.fromkeys(doubted, 0.0)
    collect(seeds, "steps")
    plain = student(rates)
    sure = {one.prompt for one in doubted}
    model = Shown(
        lambda prompt, draw, limit: (
            stopped(steps_to(999)) if prompt in sure else plain.say(prompt, draw, limit)
        )
    )
    models(monkeypatch, student=model)
    rows = filtered(own_samples=1).table
    assert set(rows.tier[:10]) == {"suspect"}
    shown = {q for examples in model.shown.values() for q, _ in examples}
    assert shown
    assert not shown & sure


# --- when there is nothing to teach ---


def test_no_response_at_all_says_who_was_asked_and_what_to_do(monkeypatch):
    seeds = [seed(n) for n in range(20)]
    collect(seeds, "steps")
    models(monkeypatch, student=student(dict.fromkeys(seeds, 0.0)))
    with pytest.raises(DataError, match="style 'steps'") as caught:
        filtered()
    said = str(caught.value)
    assert "made by source, worked, student" in said
    assert "wrong" in said
    assert "name a teacher" in said
    assert "style: answer" in said


def test_responses_to_easy_seeds_alone_are_not_enough(monkeypatch):
    """The seeds are at the edge; what is lacking is somebody who solves them."""
    easy, hard = SUMS[:20], [seed(n) for n in range(20)]
    collect(easy + hard, "steps")
    rates = dict.fromkeys(easy, 1.0) | dict.fromkeys(hard, 0.0)
    models(monkeypatch, student=student(rates))
    with pytest.raises(DataError, match="no seed is teachable") as caught:
        filtered()
    assert "right response to 20" in str(caught.value)
    assert "name a teacher" in str(caught.value)


def test_responses_to_a_handful_are_not_enough(monkeypatch):
    some, hard = SUMS[:4], [seed(n) for n in range(20)]
    collect(some + hard, "steps")
    models(monkeypatch, student=student(dict.fromkeys(some + hard, 0.0)))
    with pytest.raises(DataError, match="only 4 of 24 seeds are teachable") as caught:
        filtered()
    assert "right response to 20" in str(caught.value)


def test_responses_longer_than_the_limit_teach_nobody(monkeypatch):
    collect(SUMS, "steps")
    models(monkeypatch, student=student(half_and_never()))
    with pytest.raises(DataError, match="too long"):
        filtered(response_tokens=2)
