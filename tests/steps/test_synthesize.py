"""Step 5: which made rows join the mix."""

import re
import sys
from collections import Counter
from dataclasses import replace
from itertools import islice

import pandas as pd
import pytest
from fake_models import Fake, stopped
from synthesis_study import Filtered, Picked, Probed

from phi_kit import domains
from phi_kit.core import step_table
from phi_kit.core.errors import RunError, StoppedError
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.step_run import open_run
from phi_kit.data import sealed_splits
from phi_kit.data.generators import generate_items
from phi_kit.data.records import Seed, to_frame
from phi_kit.inference import completion
from phi_kit.responses.choose import AGAIN
from phi_kit.steps import synthesize
from phi_kit.steps.synthesize import Params, variants
from phi_kit.synthesis.gates import STOPPED


def seeds_of(answers):
    return [Seed("math", f"seed {n}", answer) for n, answer in enumerate(answers)]


def test_every_chosen_transform_is_tried_on_every_seed():
    def twice(seed, rng_seed):
        prompts = (f"{seed.prompt} {rng_seed}", f"{seed.prompt} again")
        return [replace(seed, prompt=prompt, parent=seed.id) for prompt in prompts]

    def none(seed, rng_seed):
        return []

    domain = replace(
        domains.get("math"), transforms={"twice": twice, "none": none, "more": twice}
    )
    seeds = seeds_of("12")
    found = list(variants(domain, seeds, Params(rng_seed=3)))
    assert [name for _, name in found] == ["twice"] * 4 + ["more"] * 4
    parents = [seed.id for seed in seeds for _ in range(2)]
    assert [variant.parent for variant, _ in found] == parents * 2
    assert found[0][0].prompt == "seed 0 3"
    params = Params().model_copy(update={"transforms": ["more", "none"]})
    chosen = variants(domain, seeds, params)
    assert {name for _, name in chosen} == {"more"}


@pytest.mark.parametrize("name", ["math", "puzzles", "coding"])
def test_a_variant_has_no_solution_of_its_parent(name):
    domain = domains.get(name)
    family = domain.families[0] if name != "coding" else domain.families[1]
    stream = generate_items(name, family, rng_seed=7, split="train")
    seeds = [replace(seed, solution="3 + 4 = 7") for seed in islice(stream, 5)]
    found = list(variants(domain, seeds, Params(domain=name)))
    assert found
    assert {variant.solution for variant, _ in found} == {""}


def test_a_transform_may_bring_a_solution_of_its_own():
    def kept(seed, rng_seed):
        return [replace(seed, prompt="other", parent=seed.id)]

    def solved(seed, rng_seed):
        return [replace(seed, prompt="more", solution="4 + 4 = 8", parent=seed.id)]

    domain = replace(domains.get("math"), transforms={"kept": kept, "solved": solved})
    seed = Seed("math", "What is 3 + 4?", "7", solution="3 + 4 = 7")
    found = variants(domain, [seed], Params())
    assert [variant.solution for variant, _ in found] == ["", "4 + 4 = 8"]


# --- the step from end to end, on hand-made steps 1, 3 and 4 ---


def added(a, b):
    """A sum that transforms and the worked ways know."""
    prompt = f"Solve the following arithmetic problem: {a} + {b} ="
    return Seed("math", prompt, str(a + b), family="sum-1", source="made/sums")


SUMS = [added(a, b) for a in range(10, 90, 10) for b in (3, 4)]  # 16
ASKED = [
    *("seed_id", "sample", "text", "tokens", "finish", "verdict", "lenient"),
    *("reason", "extracted"),
]


def taught(seed, style):
    return seed.answer if style == "answer" else f"It is so.\nAnswer: {seed.answer}"


def study(
    monkeypatch, *, style="steps", own=(), samples=(), strong=None, spent=0, **config
):
    """Steps 1, 3 and 4; `own` are texts of the student's own, by seed.

    `spent` are samples that step 3 took of the teacher's budget.
    """
    student = Fake(None, "student")
    named = {"student": student, "strong": strong}
    monkeypatch.setattr(completion, "load", lambda name, **_: named[name])
    monkeypatch.setattr(Params, "external_digests", lambda self: {})
    with open_run(Picked(study="s", style=style)) as run:
        for split in ("dev", "test", sealed_splits.DRAWS):
            sealed_splits.seal_split(run, split, [])
    with open_run(Filtered(study="s", style=style, **config)) as run:
        rows = to_frame(SUMS).assign(tier="teachable", place="inside", responses=1)
        ids = [seed.id for seed in SUMS]
        run.save_rows(rows.assign(own_responses=rows.id.isin(dict(own)).astype(int)))
        run.save_rows(pd.DataFrame(list(samples), columns=ASKED), "samples")
        kept = pd.DataFrame({"seed_id": ids, "kept": True, "own": False})
        kept["text"] = [taught(seed, style) for seed in SUMS]
        mine = pd.DataFrame(list(own), columns=["seed_id", "text"])
        table = pd.concat([kept, mine.assign(kept=False, own=True)])
        run.save_rows(table.assign(rank=1), "responses")
        run.result = {"responses": {"teacher": {"samples": spent} if spent else None}}
    with open_run(Probed(study="s", style=style)) as run:
        run.save_rows(pd.DataFrame({"arm": ["base", "teachable"], "accuracy": 0.1}))


def synthesized(**more):
    """Step 5 and its tables."""
    run = synthesize.run(Params(study="s", model="student", organic_share=0.1, **more))
    folder = RunFolder.of("s", step_table.SYNTHESIZE, domain="math")
    return run, folder.table(), folder.table("dropped")


@pytest.mark.usefixtures("runs")
def test_variants_get_worked_responses(monkeypatch):
    study(monkeypatch)
    run, rows, dropped = synthesized()
    made = rows[rows.kind == "synthetic"]
    assert set(made.by) == {"swap", "renumber", "story"}
    by_prompt = {row.prompt: row for row in made.itertuples()}
    verify = domains.get("math").in_style("steps").verifier
    for row in by_prompt.values():
        seed = Seed("math", row.prompt, row.answer)
        assert row.completion.splitlines()[-1] == f"Answer: {row.answer}"
        assert len(row.completion.splitlines()) > 1
        assert verify(seed, row.completion).right
        assert row.parent in {seed.id for seed in SUMS}
    stories = made[made.by == "story"]
    assert len(stories) == len(SUMS)
    assert stories.completion.str.contains(r" \+ ").all()
    # Everything that was made is in the mix or among the dropped, with its reason.
    tried = sum(row["tried"] for row in run.result["transforms"])
    assert tried == len(made) + len(dropped)
    assert run.flow.read == len(SUMS) + tried
    assert run.flow.kept == len(rows)
    organic = rows[rows.kind == "organic"]
    assert organic.completion.tolist() == [taught(seed, "steps") for seed in SUMS]


@pytest.mark.usefixtures("runs")
def test_a_variant_that_nobody_answers_is_dropped_for_that(monkeypatch):
    """A study that trusts data sets alone has nobody to answer new questions."""
    study(monkeypatch, responses=["source", "student"])
    _, rows, dropped = synthesized()
    assert set(rows.kind) == {"organic"}
    reasons = Counter(dropped.reason)
    assert reasons["no right response"] > 2 * len(SUMS)
    assert set(reasons) <= {"no right response", "duplicate"}


@pytest.mark.usefixtures("runs")
def test_a_teacher_answers_variants_and_its_faults_are_told(monkeypatch):
    def say(prompt, draw, limit):
        if "apples" in prompt or "coins" in prompt or "books" in prompt:
            return stopped("I would say so.\nAnswer: 1000")
        a, b = (int(n) for n in re.findall(r"(\d+) \+ (\d+)", prompt)[0])
        return stopped(f"{a} + {b} = {a + b}\nAnswer: {a + b}")

    strong = Fake(say, "strong")
    how = {"teacher": "strong", "responses": ["teacher"], "teacher_most": 2}
    study(monkeypatch, strong=strong, **how)
    _, rows, dropped = synthesized()
    assert set(rows.by[rows.kind == "synthetic"]) == {"swap", "renumber"}
    lost = dropped[dropped.by == "story"]
    assert len(lost) == len(SUMS)
    assert set(lost.reason) == {"no right response"}
    assert set(lost.detail) == {"wrong"}
    responses = RunFolder.of("s", step_table.SYNTHESIZE, domain="math").table(
        "responses"
    )
    assert set(responses.source) == {"teacher"}
    assert (responses.reason[~responses.kept] == "wrong").all()


@pytest.mark.slow
@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(("budget", "left"), [(0, 31), (20, 7), (10, 0)])
def test_a_teachers_budget_holds_for_steps_3_and_5_together(budget, left, monkeypatch):
    def say(prompt, draw, limit):
        a, b = (int(n) for n in re.findall(r"(\d+) \+ (\d+)", prompt)[0])
        return stopped(f"{a} + {b} = {a + b}\nAnswer: {a + b}")

    strong, how = Fake(say, "strong"), {"teacher": "strong", "responses": ["teacher"]}
    study(monkeypatch, strong=strong, spent=13, teacher_budget=budget, **how)
    synthesized(transforms=["swap", "renumber"])
    assert sum(len(call) for call in strong.asked) == left


@pytest.mark.usefixtures("runs")
def test_only_the_students_own_are_named_and_nobody_answers_variants(monkeypatch):
    study(monkeypatch, responses=["student", "hinted"])
    _, rows, dropped = synthesized()
    assert set(rows.kind) == {"organic"}
    assert "no right response" in set(dropped.reason)


@pytest.mark.usefixtures("runs")
def test_without_scores_the_students_weights_are_not_loaded(monkeypatch):
    study(monkeypatch, score="none")
    loaded = []
    tokenizer = Fake(None, "student")  # it has none: tokens are counted by bytes
    monkeypatch.setattr(completion, "load", loaded.append)
    monkeypatch.setattr(completion, "token_counter", lambda params: tokenizer)
    _, rows, _ = synthesized()
    assert not loaded
    assert (rows.kind == "synthetic").sum() > len(SUMS)


@pytest.mark.slow
@pytest.mark.usefixtures("runs")
def test_the_students_own_join_the_mix_once(monkeypatch):
    """What an organic row says already is not said again."""
    first, second, third = SUMS[:3]
    own = [
        (first.id, f"I count.\nAnswer: {first.answer}"),
        (second.id, taught(second, "steps")),
        (third.id, f"I count.\n1 + 1 = 3\nAnswer: {third.answer}"),
    ]
    study(monkeypatch, own=own)
    _, rows, dropped = synthesized(transforms=["short_answer"])
    mine = rows[rows.kind == "self"]
    assert mine.completion.tolist() == [own[0][1]]
    assert mine.parent.tolist() == [first.id]
    assert dropped.reason.tolist() == [AGAIN, "a step does not hold"]
    _, rows, _ = synthesized(own_solutions=False)
    assert "self" not in set(rows.kind)


@pytest.mark.usefixtures("runs")
def test_bare_answers_are_synthesized_as_before(monkeypatch):
    """Variants teach their computed golds, and the student's sentences stay its own."""
    asked = SUMS[0]
    said = [
        (asked.id, 0, f"So it is {asked.answer}.", 6, "stop", "right"),
        (asked.id, 1, asked.answer, 9, "stop", "right"),
        (SUMS[1].id, 0, SUMS[1].answer, 2, "stop", "right"),
        (SUMS[2].id, 0, f"1 + 1 = 3, so {SUMS[2].answer}", 9, "stop", "right"),
        (SUMS[3].id, 0, "0", 2, "stop", "wrong"),
    ]
    samples = [(*row, row[-1], "", "") for row in said]
    study(monkeypatch, style="answer", samples=samples)
    _, rows, dropped = synthesized()
    made = rows[rows.kind == "synthetic"]
    assert set(made.by) == {"swap", "renumber", "story"}
    assert (made.completion == made.answer).all()
    assert "no right response" not in set(dropped.reason)
    assert rows[rows.kind == "self"].completion.tolist() == [said[0][2]]
    mine = dropped[dropped.by == "own solution"]
    assert mine.reason.tolist() == ["same as the gold", "a step does not hold"]


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("stop", [KeyboardInterrupt, RunError("the budget is spent")])
def test_a_step_that_is_stopped_leaves_no_row_unaccounted_for(monkeypatch, stop):
    def say(prompt, draw, limit):
        raise stop

    strong = Fake(say, "strong")
    study(monkeypatch, strong=strong, teacher="strong", responses=["teacher"])
    with pytest.raises((StoppedError, RunError)):
        synthesized()
    target = RunFolder.of("s", step_table.SYNTHESIZE, domain="math").path
    told = pd.read_parquet(
        target.with_name(f".{target.name}.work") / "unfinished.parquet"
    )
    params = Params(study="s", model="student")
    made = list(variants(domains.get("math"), SUMS, params))
    assert len(told) == len(made) > 40
    assert set(told.gate[told.reason == STOPPED]) == {"response"}
    assert set(told.reason) == {STOPPED, "duplicate"}


@pytest.mark.usefixtures("runs")
def test_rows_that_a_budget_does_not_reach_say_so(monkeypatch):
    def say(prompt, draw, limit):
        a, b = (int(n) for n in re.findall(r"(\d+) \+ (\d+)", prompt)[0])
        return stopped(f"{a} + {b} = {a + b}\nAnswer: {a + b}")

    how = {"teacher": "strong", "responses": ["teacher"], "teacher_budget": 5}
    study(monkeypatch, strong=Fake(say, "strong"), **how)
    _, rows, dropped = synthesized(transforms=["swap"])
    assert (rows.kind == "synthetic").sum() == 5
    missed = dropped[dropped.gate == "response"]
    assert Counter(missed.reason) == {"not asked": len(SUMS) - 5}
    assert set(missed.detail) == {"the teacher's budget was spent"}


@pytest.mark.usefixtures("runs")
def test_what_is_frozen_says_what_it_is(monkeypatch):
    from datasets import load_from_disk

    study(monkeypatch)
    run, rows, dropped = synthesized(transforms=["backward", "harder"])
    folder = run.target / "dataset"
    assert load_from_disk(folder).to_pandas().row_id.tolist() == rows.row_id.tolist()
    assert rows.row_id.is_unique
    card = (folder / "README.md").read_text()
    assert run.result["frozen"] in card
    kept = int((rows.by == "backward").sum())
    assert f"| backward | 16 | {kept} |" in card
    assert f"| made/sums | {len(SUMS)} | unknown |" in card
    told = run.result["gates"]
    names = ["invalid", "text", "gold", "agreement", "sealed", "duplicate", "response"]
    assert list(told) == [*names, "own solution", "share"]
    assert set(dropped.gate) <= set(told)
    assert (folder / "croissant.json").is_file()


@pytest.mark.slow
@pytest.mark.usefixtures("runs")
def test_seeds_in_another_order_freeze_to_the_same(monkeypatch):
    study(monkeypatch)
    first = synthesized()[0].result["frozen"]
    monkeypatch.setattr(sys.modules[__name__], "SUMS", SUMS[::-1])
    study(monkeypatch)
    run, *_ = synthesized()
    assert run.result["frozen"] == first


@pytest.mark.usefixtures("runs")
def test_with_the_gate_off_wrong_traces_are_taught_and_the_card_says_so(monkeypatch):
    """A comparison: what is sealed, too long or no text stays out all the same."""

    def say(prompt, draw, limit):
        return stopped("I would say so.\nAnswer: 1000")

    asked = SUMS[:3]
    said = ["I guess.\nAnswer: 999", f"I count.\nAnswer: {asked[1].answer}", "so " * 90]
    samples = [
        (seed.id, 0, text, 6, "stop", "wrong", "wrong", "", "")
        for seed, text in zip(asked, said, strict=True)
    ]
    how = {"teacher": "strong", "responses": ["teacher"], "teacher_most": 1}
    study(monkeypatch, strong=Fake(say, "strong"), samples=samples, **how)
    run, rows, dropped = synthesized(transforms=["swap"], gate="off")
    made = rows[rows.kind == "synthetic"]
    assert len(made) > 8
    assert set(made.completion) == {"I would say so.\nAnswer: 1000"}
    own = rows[rows.kind == "self"]
    assert sorted(own.completion) == sorted(said[:2])
    lost = dropped[dropped.gate == "own solution"]
    assert lost.reason.tolist() == ["loop"]
    assert "agreement" not in run.result["gates"]
    card = (run.target / "dataset" / "README.md").read_text()
    assert "Wrong responses are among them" in card
