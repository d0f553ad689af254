"""The study's style: many ways to mark an answer in, one out; what is not in style."""

import itertools

import pytest

from phi_kit import domains
from phi_kit.data.generators import generate_items
from phi_kit.domains.worked import FAMILIES, worked
from phi_kit.responses.written_style import as_written, style_fault

WORK = "3 apples and 4 apples are 7."
ENDINGS = {
    "the kit's own": f"{WORK}\nAnswer: 7",
    "hashes": f"{WORK}\n#### 7",
    "bold": f"{WORK}\n\n**Answer:** 7",
    "bold, and all of it": f"{WORK}\n\n**Answer: 7**",
    "final": f"{WORK}\nFinal Answer: 7",
    "heading": f"{WORK}\n\n### Final Answer\n7",
    "sentence": f"{WORK}\nThe answer is 7.",
    "connective": f"{WORK}\nSo the final answer is **7**.",
    "a box alone": f"{WORK}\n\\boxed{{7}}",
    "a box in dollars": f"{WORK}\n$\\boxed{{7}}$.",
    "a displayed box": f"{WORK}\n\\[\n\\boxed{{7}}\n\\]",
    "a box behind the mark": f"{WORK}\nAnswer: $\\boxed{{7}}$",
    "mark and hashes": f"{WORK}\n#### 7\nAnswer: 7",
    "the mark twice": f"{WORK}\n**Answer:** 7\nAnswer: 7",
    "a tag": f"{WORK}\n<answer>7</answer>",
}


@pytest.mark.parametrize("text", ENDINGS.values(), ids=ENDINGS)
def test_an_answer_marked_in_another_way_is_marked_in_the_kits(text):
    assert as_written(text, "steps") == f"{WORK}\nAnswer: 7"
    assert style_fault(as_written(text, "steps"), "steps", gold="7") == ""


def test_a_box_in_a_sentence_leaves_the_sentence():
    text = as_written(f"{WORK}\nThus there are $\\boxed{{7}}$ apples", "steps")
    assert text == f"{WORK}\nThus there are $\\boxed{{7}}$ apples"  # does not end so
    text = as_written(f"{WORK}\nThus $x = \\boxed{{7}}$.", "steps")
    assert text == f"{WORK}\nThus $x = 7$.\nAnswer: 7"


def test_latex_keeps_its_dollars():
    text = as_written("Half of it.\n\\boxed{\\frac{1}{2}}", "steps")
    assert text == "Half of it.\nAnswer: $\\frac{1}{2}$"


def test_another_marked_answer_is_not_made_to_agree():
    assert as_written(f"{WORK}\n#### 8", "steps").endswith("Answer: 8")
    text = as_written("So $\\boxed{8}$.\nAnswer: 7", "steps")
    assert style_fault(text, "steps", gold="7") == "it marks more than one answer"


def test_an_answer_below_its_mark_stays_there():
    text = "print 4\nAnswer:\n```\n4\n```"
    assert as_written(text, "steps") == text
    assert style_fault(text, "steps", gold="4") == ""
    text = "Topic: fraud, which harms the sick.\nAnswer:\nI can't help with that."
    assert as_written(text, "steps") == text


FAULTS = {
    "": "it does not end with a marked answer",
    "7": "it does not end with a marked answer",
    WORK: "it does not end with a marked answer",
    f"{WORK}\nAnswer:": "it does not end with a marked answer",
    "Answer: 7": "it has no step before its answer",
    "The answer is 7.\nAnswer: 7": "it has no step before its answer",
    "So 7.\nAnswer: 7": "it has no step before its answer",
    "= 7\nAnswer: 7": "it has no step before its answer",
    f"{WORK}\nAnswer: 8\nNo, wait.\nAnswer: 7": "it marks more than one answer",
    f"Answer: 7\n{WORK}": "it has no step before its answer",
    f"{WORK}\nAnswer: 7\n{WORK}": "it goes on after its answer",
    f"{WORK}\nAnswer:\n7\nI hope this helps!": "it goes on after its answer",
    f"{WORK}\nAnswer:\n```\n7\n```\nDone.": "it goes on after its answer",
    f"{WORK}\nAnswer: 7 \\boxed{{7}}": "its answer is not bare",
    f"<think>\n{WORK}\n</think>\nAnswer: 7": "it holds a thought",
}


@pytest.mark.parametrize("text", FAULTS)
def test_what_is_not_in_the_style_of_steps(text):
    assert style_fault(text, "steps", gold="7") == FAULTS[text]


def test_a_sentence_announces_and_is_no_second_mark():
    assert style_fault(f"{WORK}\nSo the answer is 7.\nAnswer: 7", "steps") == ""


def test_steps_are_taught_without_their_thought():
    text = f"<think>\nHm, 8? No.\n</think>\n\n{WORK}\n\\boxed{{7}}"
    assert as_written(text, "steps") == f"{WORK}\nAnswer: 7"


def test_a_solution_becomes_a_thought_and_a_short_answer():
    assert as_written(f"{WORK}\n#### 7", "think") == (
        f"<think>\n{WORK}\n</think>\n\nAnswer: 7"
    )


@pytest.mark.parametrize(
    "text",
    [
        f"<think>\nHm.\n</think>\n\n{WORK}\n\\boxed{{7}}",
        f"Hm.\n</think>\n\n{WORK}\nAnswer: 7",  # the prompt had opened it
        f"<thinking>Hm.</thinking>{WORK}\n**Answer:** 7",
    ],
)
def test_a_thought_is_kept(text):
    written = as_written(text, "think")
    assert written == f"<think>\nHm.\n</think>\n\n{WORK}\nAnswer: 7"
    assert style_fault(written, "think", gold="7") == ""


THOUGHTS = {
    f"{WORK}": "it has not exactly one closed thought",
    f"<think>\n{WORK}\nAnswer: 7": "it has not exactly one closed thought",
    f"<think>\n{WORK}\n</think>": "it does not end with a marked answer",
    "<think>\n\n</think>\n\nAnswer: 7": "its thought is empty",
    f"Well. <think>\n{WORK}\n</think>\n\nAnswer: 7": "it begins before its thought",
    f"<think>\nHm.\n</think>\n<think>\n{WORK}\n</think>\nAnswer: 7": (
        "it has not exactly one closed thought"
    ),
}


@pytest.mark.parametrize("text", THOUGHTS)
def test_what_is_not_in_the_style_of_thinking(text):
    assert style_fault(as_written(text, "think"), "think") == THOUGHTS[text]


@pytest.mark.parametrize("text", ["7", "Answer: 7", "\\boxed{7}", "<think>Hm</think>7"])
def test_a_bare_answer_loses_what_is_around_it(text):
    assert as_written(text, "answer") == "7"


@pytest.mark.parametrize("style", ["steps", "think"])
def test_every_worked_solution_is_in_style(style):
    seen = 0
    for name in FAMILIES:
        for family in domains.get(name).families:
            if family.name in ("countdown", "word", "palindrome"):
                continue  # these take seconds to make
            items = generate_items(name, family, rng_seed=3, split="train")
            for seed in itertools.islice(items, 5):
                for form in ("short", "long"):
                    if text := worked(seed, form):
                        seen += 1
                        written = as_written(text, style)
                        assert style_fault(written, style, gold=seed.answer) == ""
                        assert style == "think" or written == text
    assert seen > 300
