"""Puzzles: every task's own answer is right, what only looks like it is wrong."""

from __future__ import annotations

import json
import re
from itertools import islice

import pytest

from phi_kit import domains
from phi_kit.data.generators import generate_items
from phi_kit.data.records import Seed
from phi_kit.verifiers import puzzle

from . import perturbations, puzzle_checkers

TASKS = {
    # tasks whose own scorers pay in full for what follows
    "game_of_life_halting": ("True", ["Tru", "not True", "True or False", "True True"]),
    "number_sorting": ("['-9.5', '3.0']", ["['-9.9', '3.0']", "['3.0', '-9.5']"]),
    "gsm_symbolic": ("1687.5", ["It is 1687.5 or not", "1687.5, 0", "1687.6"]),
    "decimal_arithmetic": ("25.413", ["25.414", "25.41", "25.4130001"]),
    "power_function": ("8.05544726166417e-06", ["8.05e-06", "8.1e-06", "8.06e-05"]),
    "fraction_simplification": (
        r"$\dfrac{332}{971}$",
        [r"$\dfrac{332}{972}$", r"$\dfrac{332}{971}$, 0", r"$\dfrac{332}{971}$x"],
    ),
    "time_intervals": ("34 days", ["34", "34 days 34 days", "35 days"]),
    "word_sorting": (
        "IRS, Think, other",
        ["IRS, Think, other, 0", "Think, IRS, other"],
    ),
    "pool_matrix": ("5.75 6.25\n7.0 5.25", ["5.76 6.25\n7.0 5.25", "5.75 6.25\n7.0"]),
}
MANY = {
    "sokoban": ["It is RRL or not", "RRL, 0", "RRLx"],
    "kakurasu": ["not 1 0\n0 1", "1 0\n0 1x", "It is 1 0\n0 1"],
    "survo": ["not 1 2\n3 4", "1 2\n3 x"],
    "quantum_lock": ["A → B, 0", "-A → B", "A B → →"],
    "tower_of_hanoi": ["-Move disk 1 from Peg 2 to Peg 1", "Move disks"],
    "countdown": ["2**3", "__import__('os')", "lambda: 3"],
    "simple_integration": ["x**2 + Cx", "__import__('os')", "x.real", "open('x')"],
    "graph_color": ["{0: 1}", "nothing"],
}


@pytest.mark.parametrize(
    ("task", "gold", "miss"),
    [(task, gold, miss) for task, (gold, all_) in TASKS.items() for miss in all_],
)
def test_false_positives_of_scorers_are_refused(task, gold, miss):
    entry = {"question": "", "answer": gold, "metadata": {}}
    seed = Seed("p", "", gold, extra=json.dumps({"task": task, "entry": entry}))
    assert puzzle.verify(seed, gold).right
    assert puzzle.verify(seed, miss).value == "wrong"


@pytest.mark.parametrize(
    ("task", "miss"), [(task, miss) for task, all_ in MANY.items() for miss in all_]
)
def test_what_is_not_written_as_a_solution_is_refused_unscored(task, miss, monkeypatch):
    monkeypatch.setattr(puzzle, "pool", None)
    entry = {"question": "", "answer": "?", "metadata": {"numbers": [2, 3]}}
    seed = Seed("p", "", "?", extra=json.dumps({"task": task, "entry": entry}))
    assert puzzle.verify(seed, f"<answer>{miss}</answer>").value == "wrong"


def entries(task):
    import reasoning_gym

    made = reasoning_gym.create_dataset(task, seed=11, size=2)
    return [json.loads(json.dumps(e, default=str)) for e in made if e["answer"]]


@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_every_task_of_the_catalogue(step):
    """Own answers are right; a digit changed or a text reversed is refused."""
    from reasoning_gym.factory import DATASETS

    tried = near_tried = 0
    slow = {"composite", "rush_hour", "futoshiki", "zebra_puzzles", "arc_agi", "rearc"}
    slow |= (
        {"sokoban", "knight_swap", "intermediate_integration"} if step > 1 else set()
    )
    # Where a change may well be another solution, only the shape is tested above.
    for task in sorted(set(DATASETS) - slow)[::step]:
        for entry in entries(task):
            extra = json.dumps({"task": task, "entry": entry})
            seed = Seed("p", entry["question"], str(entry["answer"]), extra=extra)
            false = puzzle.FALSE_GOLDS.get(task)
            if false and false.fullmatch(seed.answer):
                assert puzzle.verify(seed, seed.answer).value == "unknown"
                continue
            assert puzzle.verify(seed, seed.answer).right, task
            tried += 1
            if task in puzzle.SHAPES:
                continue
            for miss in changed(seed.answer):
                verdict = puzzle.verify(seed, miss)
                assert verdict.value == "wrong", (task, seed.answer, miss, verdict)
                near_tried += 1
    assert tried > 150 // step
    assert near_tried > 600 // step


def changed(answer):
    for digit in list(re.finditer(r"\d", answer))[:1]:
        other = str((int(digit[0]) + 1) % 10)
        yield answer[: digit.start()] + other + answer[digit.end() :]
    yield f"It is {answer} or not"
    yield f"{answer} {answer}"
    yield f"{answer}, 0"
    yield from list(perturbations.texts(answer))[:2]


def test_any_valid_solution_is_right():
    entry = {
        "question": "Change COLD to WARM",
        "answer": "COLD,CORD,CARD,WARD,WARM",
        "metadata": {
            "start_word": "COLD",
            "end_word": "WARM",
            "word_length": 4,
            "chain_length": 5,
        },
    }
    extra = json.dumps({"task": "word_ladder", "entry": entry})
    seed = Seed("p", "", entry["answer"], extra=extra)
    assert puzzle.verify(seed, "COLD,CORD,WORD,WARD,WARM").right
    assert puzzle.verify(seed, "COLD,WARM").value == "wrong"
    assert puzzle.verify(seed, "COLD,CORX,CARD,WARD,WARM").value == "wrong"


STORY = (
    "Noah is married to Jessica. They have a child called Finn. Finn is married to "
    "Mia. Atlas is married to Victoria. They have a child called Mia.\n\n"
)


@pytest.mark.parametrize(
    ("question", "gold"),
    [("What is Finn to Atlas?", "father-in-law"), ("Who is Finn to Mia?", "niece")],
)
def test_a_gold_that_answers_another_question_is_unknown(question, gold):
    entry = {"question": STORY + question, "answer": gold, "metadata": {}}
    extra = json.dumps({"task": "family_relationships", "entry": entry})
    verdict = puzzle.verify(Seed("p", "", gold, extra=extra), gold)
    assert verdict.value == "unknown"
    assert "another question" in verdict.reason


def test_the_kits_family_puzzles_have_true_golds_only():
    (family,) = domains.get("puzzles").chosen(["family"])
    for seed in islice(
        generate_items("puzzles", family, rng_seed=3, split="true"), 300
    ):
        task, entry = seed.facts["task"], seed.facts["entry"]
        assert puzzle_checkers.is_solution(task, entry, seed.answer), seed


def test_a_board_keeps_its_first_square_wherever_it_stands():
    board = "_ Q _ _\n_ _ _ Q\nQ _ _ _\n_ _ Q _"
    for dress in (
        "{}",
        "Answer: {}",
        "**Answer:**\n{}",
        "```\n{}\n```",
    ):
        assert puzzle.candidate_solutions(dress.format(board))[0] == board


@pytest.mark.parametrize("answer", ["1e99999999", "5e-99999999", "1E+1000000"])
def test_a_number_that_takes_for_ever_is_another_answer(answer):
    assert not puzzle.same_tokens("5", answer)
    assert puzzle.same_tokens("5e-3", "0.005")


def test_a_scorer_that_never_ends_is_killed(monkeypatch):
    class Hung:
        def ask(self, job):
            from phi_kit.verifiers.worker_pool import WorkerReply

            return WorkerReply(stage="answer")

    monkeypatch.setattr(puzzle, "pool", lambda _: Hung())
    extra = json.dumps({"task": "palindrome_generation", "entry": {"answer": "aba"}})
    verdict = puzzle.verify(Seed("p", "", "aba", extra=extra), "bab")
    assert verdict.value == "wrong"
    assert "ran out of time" in verdict.reason


def test_case_and_the_full_stop_at_the_end_say_nothing():
    import reasoning_gym

    item = next(iter(reasoning_gym.create_dataset("knights_knaves", size=1, seed=3)))
    entry = json.loads(json.dumps(dict(item), default=str))
    assert entry["answer"].endswith(".")
    facts = {"task": "knights_knaves", "entry": entry}
    seed = Seed("p", "", entry["answer"], extra=json.dumps(facts))
    assert puzzle.verify(seed, entry["answer"].lower().rstrip(".")).right
