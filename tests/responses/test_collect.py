"""Responses of several sources: who is asked, what is kept, what is counted."""

import json
import math
from dataclasses import dataclass, field, replace

import pandas as pd
import pytest
import torch
from external_data import needs, path_of

from phi_kit import domains
from phi_kit.core.errors import StudyError
from phi_kit.core.params import StepParams
from phi_kit.data.records import Seed
from phi_kit.evaluation.ask import training_rows
from phi_kit.inference import completion
from phi_kit.inference.types import Completion, SamplingParams
from phi_kit.models import catalog
from phi_kit.responses.checks import REASONS, ResponseChecks
from phi_kit.responses.choose import AGAIN, SPARE
from phi_kit.responses.collect import COLUMNS, collect
from phi_kit.responses.from_gold import GoldSource
from phi_kit.responses.from_source import SolutionSource
from phi_kit.responses.from_student import StudentAgain, StudentSource
from phi_kit.responses.from_teacher import TeacherPlan, TeacherSource
from phi_kit.responses.from_worked import WorkedSource
from phi_kit.training.encoding import encode

STEPS = domains.get("math").in_style("steps")


def seed(a, b, **more):
    return Seed("math", f"{a} + {b} = ?", str(a + b), **more)


SEEDS = [seed(a, b) for a, b in ((2, 3), (4, 5), (6, 7))]


def solved(prompt, shift=0):
    a, b = (int(n) for n in prompt.split("=")[0].split("+"))
    return f"I add {b} to {a} and get {a + b + shift}.\nAnswer: {a + b + shift}"


@dataclass
class Scripted:
    """Says what its script says to a prompt and an attempt; counts what it is asked."""

    script: object
    name: str = "scripted"
    identity: str = ""
    asked: list = field(default_factory=list)

    def render(self, instruction, prompt, *, thinking=False, examples=()):
        return json.dumps([instruction, [list(pair) for pair in examples], prompt])

    def stream(self, requests, sampling):
        for place, one in enumerate(requests):
            prompt = json.loads(one.prompt)[2]
            attempt = len([p for p in self.asked if p == prompt])
            self.asked.append(prompt)
            said = self.script(prompt, attempt)
            said = said if isinstance(said, Completion) else Completion(said, 9, "stop")
            yield place, said


FAR = Scripted(None, "far")
CHECKS = ResponseChecks(STEPS, FAR)


def teacher(script, plan=None, **more):
    plan = plan or TeacherPlan(sampling=SamplingParams(64))
    usable = more.pop("usable", CHECKS.usable)
    model = Scripted(script)
    return TeacherSource(model.name, lambda: model, STEPS, plan, 1, usable, **more)


def samples(rows):
    """A table as `ask` returns it."""
    columns = ("seed_id", "sample", "text", "tokens", "finish", "logprob", "verdict")
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(reason="", extracted="", lenient=table.verdict)


def test_a_later_source_is_asked_about_what_is_left():
    told = [replace(SEEDS[0], solution="2 and 3 more are 5.\n#### 5"), *SEEDS[1:]]
    asked = teacher(lambda prompt, attempt: solved(prompt))
    found = collect([SolutionSource("steps"), asked], told, CHECKS)
    assert asked.teacher.asked == [SEEDS[1].prompt, SEEDS[2].prompt]
    assert found.table.source.tolist() == ["source", "teacher", "teacher"]
    assert found.table.text[0] == "2 and 3 more are 5.\nAnswer: 5"
    assert found.without == []


def test_what_may_not_be_trained_on_is_in_the_table_with_its_reason():
    found = collect([teacher(lambda p, attempt: solved(p, attempt % 3))], SEEDS, CHECKS)
    assert found.summary["kept"] == 3
    bad = teacher(lambda p, attempt: solved(p, 1), TeacherPlan(most=3))
    found = collect([bad], SEEDS, CHECKS)
    assert found.without == [s.id for s in SEEDS]
    assert found.summary == {
        "made": 9,
        "kept": 0,
        "dropped": {"wrong": 9},
        "sources": {"teacher": {"made": 9, "kept": 0, "dropped": {"wrong": 9}}},
        "without": 3,
    }


def test_the_table_has_one_shape_even_without_rows():
    empty = collect([WorkedSource("answer")], SEEDS, CHECKS)
    some = collect([teacher(lambda p, attempt: solved(p))], SEEDS, CHECKS)
    for found in (empty, some):
        assert list(found.table.columns) == list(COLUMNS)
        assert found.summary["made"] == len(found.table)
    texts = [name for name, kind in COLUMNS.items() if kind is str]
    assert some.table[texts].notna().all(axis=None)
    assert empty.table.dtypes.astype(str).tolist() == [
        str(dtype) for dtype in some.table.dtypes
    ]
    assert empty.summary["without"] == 3


def test_seeds_come_in_their_order_and_once():
    found = collect(
        [teacher(lambda p, attempt: solved(p))], [*SEEDS[::-1], SEEDS[0]], CHECKS
    )
    assert found.table.seed_id.tolist() == [s.id for s in SEEDS[::-1]]


def test_two_sources_of_one_name_are_refused():
    with pytest.raises(StudyError, match="twice"):
        collect([WorkedSource("steps"), WorkedSource("steps", "long")], SEEDS, CHECKS)


def test_a_teacher_is_asked_again_where_it_was_not_right():
    def script(prompt, attempt):
        return solved(prompt, shift=int(prompt.startswith("4") and attempt < 3))

    asked = teacher(script)
    found = collect([asked], SEEDS, CHECKS)
    assert [asked.teacher.asked.count(s.prompt) for s in SEEDS] == [1, 5, 1]
    assert asked.spending.as_dict() == {
        "samples": 7,
        "reused": 0,
        "tokens": 63,
        "cost": None,
        "rounds": 3,
        "unasked": 0,
    }
    attempts = found.table[found.table.seed_id == SEEDS[1].id]
    assert attempts.attempt.tolist() == [0, 1, 2, 3, 4]
    assert attempts.reason.tolist() == ["wrong"] * 3 + ["", AGAIN]


def test_what_a_budget_reaches_is_a_random_part_of_the_pool():
    """Else the random arm would be drawn from the hardest seeds alone."""
    pool = [seed(a, b) for a in range(10, 30) for b in range(10, 30)]  # 400
    rates = {one.id: place / 400 for place, one in enumerate(pool[:360])}
    rates |= dict.fromkeys((one.id for one in pool[360:]), math.inf)  # doubted golds
    asked = teacher(
        lambda p, attempt: solved(p), TeacherPlan(budget=180), pass_rates=rates
    )
    found = collect([asked], pool, CHECKS)
    reached = [rates[name] for name in set(found.table.seed_id)]
    assert len(reached) == 180
    assert max(reached) < 1
    assert sum(reached) / 180 == pytest.approx(0.45, abs=0.06)
    assert asked.spending.unasked == len(found.without) == 220


def test_a_teacher_that_nobody_asks_is_not_loaded():
    def load():
        raise AssertionError("loaded")

    plan = TeacherPlan(sampling=SamplingParams(64))
    right = (SEEDS[0].id, 0, solved(SEEDS[0].prompt), 9, "stop", -0.5, "right")
    earlier = samples([right]).assign(model="strong")
    how = ("strong", load, STEPS, plan, 1, CHECKS.usable)
    told = replace(SEEDS[1], solution="4 and 5 are 9.\n#### 9")
    sources = [SolutionSource("steps"), TeacherSource(*how, earlier=earlier)]
    found = collect(sources, [SEEDS[0], told], CHECKS)
    assert found.table.source.tolist() == ["teacher", "source"]
    assert found.without == []


def test_a_budget_goes_to_the_hardest_of_those_without_a_right_one():
    rates = {SEEDS[0].id: 0.5, SEEDS[1].id: 0.1, SEEDS[2].id: 0.3}
    asked = teacher(
        lambda p, attempt: solved(p, 1), TeacherPlan(budget=6), pass_rates=rates
    )
    collect([asked], SEEDS, CHECKS)
    counts = [asked.teacher.asked.count(s.prompt) for s in SEEDS]
    assert counts == [1, 3, 2]
    assert asked.spending.samples == 6


def test_what_the_reference_said_are_a_teachers_first_attempts():
    rows = [
        (SEEDS[0].id, 0, solved(SEEDS[0].prompt), 9, "stop", math.nan, "right"),
        (SEEDS[1].id, 0, solved(SEEDS[1].prompt, 1), 9, "stop", math.nan, "wrong"),
    ]
    earlier = samples(rows).assign(model="scripted")
    others = samples([(SEEDS[2].id, 0, "x", 9, "stop", math.nan, "wrong")])
    earlier = pd.concat([earlier, others.assign(model="another")])
    asked = teacher(
        lambda p, attempt: solved(p),
        TeacherPlan(samples=2, more=1),
        earlier=earlier,
    )
    found = collect([asked], SEEDS, CHECKS)
    # One was right; one is asked once more to have its two; one was never asked.
    assert [asked.teacher.asked.count(s.prompt) for s in SEEDS] == [0, 1, 2]
    assert (asked.spending.reused, asked.spending.samples) == (2, 3)
    assert found.table.attempt.tolist() == [0, 0, 1, 0, 1]
    assert found.without == []


def test_a_reference_that_was_wrong_throughout_is_asked_further():
    rows = [(SEEDS[0].id, n, solved(SEEDS[0].prompt, 1), 9, "stop", 0, "wrong")
            for n in range(4)]  # fmt: skip
    asked = teacher(
        lambda p, attempt: solved(p), TeacherPlan(samples=2), earlier=samples(rows)
    )
    found = collect([asked], SEEDS[:1], CHECKS)
    assert len(asked.teacher.asked) == 2
    assert found.summary["kept"] == 1


@pytest.mark.parametrize(("drawn", "asked_again"), [(32, 2), (64, 0)])
def test_what_a_lower_limit_cut_off_was_no_attempt(drawn, asked_again):
    rows = [(SEEDS[0].id, n, "I begin", drawn, "length", 0, "wrong") for n in range(2)]
    plan = TeacherPlan(samples=2, most=2, sampling=SamplingParams(64))
    asked = teacher(lambda p, attempt: solved(p), plan, earlier=samples(rows))
    found = collect([asked], SEEDS[:1], CHECKS)
    assert len(asked.teacher.asked) == asked_again
    assert found.table.attempt.tolist() == list(range(2 + asked_again))


def test_who_gets_no_reply_is_not_asked_for_ever():
    asked = teacher(lambda p, attempt: Completion("", 0, "filtered"))
    found = collect([asked], SEEDS, CHECKS)
    assert len(asked.teacher.asked) == 3
    assert found.table.reason.unique().tolist() == ["no reply"]


def test_the_cost_of_a_teacher_is_counted():
    asked = teacher(lambda p, attempt: Completion(solved(p), 9, "stop", cost=0.25))
    found = collect([asked], SEEDS, CHECKS)
    assert asked.spending.cost == 0.75
    assert found.table.cost.tolist() == [0.25] * 3
    assert found.table.drawn.tolist() == [9] * 3


def test_the_student_is_shown_examples_but_never_its_own_question():
    examples = {"": tuple((s.prompt, solved(s.prompt)) for s in SEEDS[:2])}
    model = Scripted(lambda p, attempt: solved(p))
    again = StudentAgain(model, STEPS, SamplingParams(9), 2, 1, examples)
    found = collect([again], SEEDS, CHECKS)
    assert again.name == "few-shot"
    assert found.summary["kept"] == 3
    shown = json.loads(again._rendered(SEEDS[0]))[1]
    assert [question for question, _ in shown] == [SEEDS[1].prompt]


def test_a_hint_gives_the_gold_away_and_its_responses_say_so():
    model = Scripted(lambda p, attempt: solved(p))
    again = StudentAgain(model, STEPS, SamplingParams(9), 1, 1, hint=True)
    found = collect([again], SEEDS, CHECKS)
    assert found.table.source.unique().tolist() == ["hinted"]
    assert model.asked[0].startswith(SEEDS[0].prompt)
    assert "The answer is 5." in model.asked[0]


def test_a_hinted_response_that_tells_is_dropped():
    def script(prompt, attempt):
        return f"As the given answer says: {solved(prompt)}"

    again = StudentAgain(Scripted(script), STEPS, SamplingParams(9), 1, 1, hint=True)
    found = collect([again], SEEDS, CHECKS)
    assert found.table.reason.tolist() == ["tells of the hint"] * 3


@pytest.mark.parametrize("style", ["answer", "steps", "think"])
def test_the_gold_alone_fits_bare_answers_only(style):
    domain = replace(STEPS, style=style)
    sources = [SolutionSource(style), WorkedSource(style), GoldSource(style)]
    told = [replace(s, solution="I add them.") for s in SEEDS]
    found = collect(sources, told, ResponseChecks(domain, FAR, max_tokens=1))
    if style == "answer":
        assert found.table.text.tolist() == ["5", "9", "13"]
        assert found.table.kept.all()
    else:
        assert set(found.table.source) == {"source"}


def test_a_solution_without_a_mark_gets_the_gold_and_one_with_keeps_its_own():
    told = [
        replace(SEEDS[0], solution="2 and 3 are 5."),
        replace(SEEDS[1], solution="4 and 5 are 8.\n#### 8"),
        replace(SEEDS[2], solution="6 and 7 are $\\boxed{13}$."),
    ]
    found = collect([SolutionSource("steps")], told, CHECKS)
    assert found.table.text.tolist() == [
        "2 and 3 are 5.\nAnswer: 5",
        "4 and 5 are 8.\nAnswer: 8",
        "6 and 7 are $13$.\nAnswer: 13",
    ]
    assert found.table.reason.tolist() == ["", "wrong", ""]


def test_a_solution_becomes_a_thought_or_keeps_its_own():
    told = [
        replace(SEEDS[0], solution="2 and 3 are 5."),
        replace(SEEDS[1], solution="<think>\nHm, 9.\n</think>\n\n4 and 5 are 9."),
        replace(SEEDS[2], solution="<think>Hm.</think>So \\boxed{13}"),
    ]
    checks = ResponseChecks(domains.get("math").in_style("think"), FAR)
    found = collect([SolutionSource("think")], told, checks)
    assert found.table.text.tolist() == [
        "<think>\n2 and 3 are 5.\n</think>\n\nAnswer: 5",
        "<think>\nHm, 9.\n</think>\n\n4 and 5 are 9.\nAnswer: 9",
        "<think>\nHm.\n</think>\n\nSo 13\nAnswer: 13",
    ]
    assert found.table.kept.all()


def test_one_is_kept_and_the_other_is_spare():
    def talkative():
        return teacher(
            lambda p, attempt: solved(p) if attempt else "Well. " + solved(p),
            TeacherPlan(samples=2),
        )

    found = collect([talkative()], SEEDS, CHECKS, prefer="shortest")
    assert found.table.kept.tolist() == [False, True] * 3
    assert found.table.reason.tolist() == [SPARE, ""] * 3
    found = collect([talkative()], SEEDS, CHECKS, prefer="first", keep=2)
    assert found.summary["kept"] == 6


def test_every_response_says_how_likely_it_is_to_the_student(tiny):
    rows = [
        (SEEDS[0].id, 0, solved(SEEDS[0].prompt), 9, "stop", -0.5, "right"),
        (SEEDS[0].id, 1, solved(SEEDS[0].prompt)[:9], 9, "length", -0.7, "wrong"),
        (SEEDS[0].id, 2, "5 it is.\n#### 5", 9, "stop", -0.6, "right"),
        (SEEDS[0].id, 3, "", 1, "stop", -0.1, "wrong"),
    ]
    sources = [
        StudentSource(tiny, samples(rows)),
        teacher(lambda p, attempt: solved(p, attempt % 2), TeacherPlan(samples=2)),
    ]
    checks = ResponseChecks(STEPS, tiny, max_tokens=64)
    table = collect(sources, SEEDS, checks, prefer="closest", score="every").table
    assert set(table.reason) >= {"truncated", "empty", "wrong"}
    # Its own samples bring theirs, unless they are taught in other words.
    own = table[table.source == "student"].logprob.tolist()
    assert own[:2] == [-0.5, -0.7]
    assert own[3] == -0.1
    for row in table[(table.source == "teacher") | (table.attempt == 2)].itertuples():
        (seed,) = (s for s in SEEDS if s.id == row.seed_id)
        (training,) = training_rows(tiny, STEPS, [(seed, row.text)])
        expected = plain_mean_logprob(tiny, training)
        assert row.logprob == pytest.approx(expected, abs=1e-4), row
    kept = table[table.kept & (table.source == "teacher")]
    assert (kept["rank"] == 1).all()
    # What is never trained on need not be scored.
    sources[1] = teacher(lambda p, attempt: solved(p, attempt % 2))
    some = collect(sources, SEEDS, checks, prefer="closest").table
    far = some[some.source == "teacher"]
    assert (far.logprob.notna() == (far.verdict == "right")).all()
    none = collect(sources[:1], SEEDS, checks, score="none").table
    assert none.logprob.isna().tolist() == [False, False, True, False]


def test_a_student_without_weights_counts_the_same_and_scores_nothing(
    tiny, monkeypatch
):
    monkeypatch.setattr(catalog, "resolve", lambda name: "nowhere")
    monkeypatch.setattr(completion, "load_tokenizer", lambda *_: tiny.tokenizer)
    counter = completion.token_counter(StepParams(study="s", model="tiny"))
    told = [replace(s, solution=f"It is {s.answer} by counting.") for s in SEEDS]
    found = [
        collect([SolutionSource("steps")], told, ResponseChecks(STEPS, student)).table
        for student in (tiny, counter)
    ]
    assert found[0].logprob.notna().all()
    assert found[1].logprob.isna().all()
    assert found[0].tokens.tolist() == found[1].tokens.tolist()


def plain_mean_logprob(student, row):
    """One row as it is trained, no padding, all logits."""
    encoded = encode(student, row)
    with torch.inference_mode():
        logits = student.model(torch.tensor([encoded.ids])).logits[0].double()
    logprobs = logits.log_softmax(-1)[:-1]
    targets = torch.tensor(encoded.ids[1:])
    each = logprobs.gather(1, targets[:, None])[:, 0]
    return each[-encoded.trained :].mean().item()


def test_in_think_scores_are_those_of_the_row_that_is_trained(tiny):
    domain = domains.get("math").in_style("think")
    told = [replace(s, solution=f"It is {s.answer} by counting.") for s in SEEDS]
    checks = ResponseChecks(domain, tiny)
    table = collect([SolutionSource("think")], told, checks).table
    assert table.kept.all()
    for seed, row in zip(told, table.itertuples(), strict=True):
        (training,) = training_rows(tiny, domain, [(seed, row.text)])
        assert row.tokens == encode(tiny, training).trained
        expected = plain_mean_logprob(tiny, training)
        assert row.logprob == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("style", ["steps", "think"])
@needs("gsm8k_train_1500.jsonl")
def test_the_solutions_of_gsm8k(style):
    told = []
    with path_of("gsm8k_train_1500.jsonl").open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            solution, _, gold = row["answer"].rpartition("####")
            seed = Seed("math", row["question"], gold.strip(), solution=solution)
            told.append(seed)
    checks = ResponseChecks(replace(STEPS, style=style), FAR)
    table = collect([SolutionSource(style)], told, checks).table
    assert len(table) == len(told) == 1500
    assert not table.text.str.contains("<<").any()
    assert (table.verdict == "right").mean() >= 0.99
    assert table.kept.mean() >= 0.99
    assert set(table[~table.kept].reason) <= set(REASONS)
    assert (table[~table.kept].detail != "").all()
