"""Where verifiers look: worked steps, then a marked answer.

What stands before the last line `Answer:` may hold numbers, words, options, boxes and
answers that were given up. Whatever it holds, the marked answer decides.
"""

from dataclasses import replace
from functools import cache
from itertools import islice

import pytest

from phi_kit import domains
from phi_kit.core.answer_style import ANSWER_MARK
from phi_kit.data.generators import generate_items
from phi_kit.data.records import Seed
from phi_kit.domains.worked import FAMILIES, worked
from phi_kit.verifiers import answer_extraction, get

PAIRS = [(name, family) for name in FAMILIES for family in domains.get(name).families]
EVERY = pytest.mark.parametrize(
    ("name", "family"), PAIRS, ids=[f"{name}-{family.name}" for name, family in PAIRS]
)
# Each verdict starts a sandbox.
SANDBOXED = {"write-line", "write-list", "write-program"}
SLOW = SANDBOXED | {"palindrome", "anagrams", "countdown", "hanoi"}
READ = [(name, family) for name, family in PAIRS if family.name not in SANDBOXED]
# Lines before the mark that say an answer, too, or that look like one.
DECOYS = (
    "So {} for now.",
    "The answer is {}? Let me check.",
    "So the answer is {}.",
    "Then $\\boxed{{{}}}$.",
    "#### {}",
    "```\n{}\n```",
    "Answer: {}\nLet me check that again.",
    "<answer>{}</answer>",
    "### Final Answer\n{}\n\nWait.",
    '{{"answer": "{}"}}',
    "**{}**",
    "Is it? Yes. Is that so? No. True, and then False.",
    "A) no, B) no, C) yes. Option D is correct? (A) is right.",
    "I cannot see why not. I can't help with that. You can do it.",
)
OTHER_STANCE = {
    True: "You will find the way if you try.",
    False: "I can't help with that.",
}


@cache
def drawn(name, family):
    """A few items; fewer where one costs seconds."""
    (one,) = domains.get(name).chosen([family])
    items = generate_items(name, one, rng_seed=5, split="train")
    return list(islice(items, 2 if family in SLOW else 4))


def parted(text):
    """Steps, and the answer as it stands behind the mark, fence and all."""
    at = text.rindex(ANSWER_MARK)
    return text[:at].rstrip("\n"), text[at + len(ANSWER_MARK) :]


def bare(answer):
    said = answer.strip("\n").strip()
    return said.split("\n", 1)[1].rsplit("\n", 1)[0] if said[:3] == "```" else said


def another(seed, seeds, answer):
    """A wrong answer, written as the right one is."""
    if seed.domain == "safety" and seed.answer not in ("yes", "no"):
        wrong = OTHER_STANCE["refuse" in seed.family]
    else:
        others = (one.answer for one in seeds if one.answer != seed.answer)
        wrong = next(others, None)
        if seed.family == "queens":  # another item's may fit, too
            wrong = seed.answer.replace("Q _", "_ Q", 1)
    return wrong, wrong and answer.replace(bare(answer), wrong)


def cases(name, family):
    """Items with their steps, the answer behind the mark, and a wrong one."""
    seeds = drawn(name, family.name)
    for seed in seeds:
        if text := worked(seed):
            steps, answer = parted(text)
            wrong, behind = another(seed, seeds, answer)
            if wrong:
                yield seed, steps, answer, wrong, behind


@EVERY
def test_a_worked_solution_is_right_and_with_another_answer_wrong(name, family):
    verify, count = domains.get(name).verifier, 0
    for seed, steps, answer, _, wrong in cases(name, family):
        thought = f"<think>\n{steps}\n</think>\n\n"
        for text in (f"{steps}\n{{}}", f"{thought}{{}}", f"{thought}{steps}\n\n{{}}"):
            right = verify(seed, text.format(f"{ANSWER_MARK}{answer}"))
            assert right.right, (right, text)
            assert verify(seed, text.format(f"{ANSWER_MARK}{wrong}")).value == "wrong"
            count += 1
            if family.name in SANDBOXED:
                break
    assert count


@pytest.mark.parametrize(("name", "family"), READ, ids=lambda x: getattr(x, "name", x))
def test_nothing_before_the_mark_outweighs_it(name, family):
    verify, count = domains.get(name).verifier, 0
    for seed, steps, answer, wrong, behind in islice(cases(name, family), 2):
        right = bare(answer)
        for decoy in DECOYS if "\n" not in f"{right}{wrong}" else DECOYS[:1]:
            text = f"{steps}\n{decoy.format(wrong)}\n{ANSWER_MARK}{answer}"
            assert verify(seed, text).right, text
            text = f"{steps}\n{decoy.format(right)}\n{ANSWER_MARK}{behind}"
            assert verify(seed, text).value == "wrong", text
            count += 1
    assert count


@pytest.mark.parametrize(
    "mark", ["Answer:", "**Answer:**", "Final Answer:", "### Answer:", "The answer:"]
)
@pytest.mark.parametrize("name", FAMILIES)
def test_the_mark_may_be_dressed_and_the_answer_stand_below_it(name, mark):
    verify, count = domains.get(name).verifier, 0
    for family in domains.get(name).families:
        if family.name in SANDBOXED or not family.usual:
            continue
        for seed, steps, answer, *_ in islice(cases(name, family), 1):
            said = bare(answer)
            for behind in (f" {said}", f"\n{said}", f"\n```\n{said}\n```"):
                assert verify(seed, f"{steps}\n\n{mark}{behind}").right, behind
                count += 1
    assert count >= 9


CODE = Seed(
    "coding",
    "Write a function `double`.",
    "def double(x):\n    return 2 * x",
    extra='{"tests": "assert double(2) == 4\\nassert double(3) == 6"}',
)
TRIED = "First try:\n```python\ndef double(x):\n    return x\n```\nThat is x.\n"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (f"{TRIED}Answer:\n```python\n{CODE.answer}\n```", "right"),
        (f"{TRIED}Answer:\n{CODE.answer}", "right"),
        (f"Needed: 2 * x\nAnswer:\n{CODE.answer}\n", "right"),
        (
            TRIED.replace("return x", "return 2 * x")
            + "Answer:\ndef double(x):\n    x",
            "wrong",
        ),
        (TRIED.replace("return x", "return 2 * x") + "Answer: as above", "wrong"),
    ],
)
def test_code_below_the_mark_is_the_one_that_counts(said, expected):
    assert get("code")(CODE, said).value == expected


PRINTED = Seed("coding", "What does this print?", "3 18")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("3 + 15 = 18\nAnswer: 3 18", "right"),
        ("3 + 15 = 18\nAnswer: `3 18`", "right"),
        ("```\n3 17\n```\nNo.\nAnswer: 3 18", "right"),
        ("```\n3 18\n```\nNo.\nAnswer: 3 17", "wrong"),
        ("3 18\nAnswer: 18", "wrong"),
        ("It prints 3 18.\nAnswer:", "wrong"),
        ("Answer: 3 18\n\nThat is all.", "wrong"),
    ],
)
def test_printed_text_behind_a_mark(said, expected):
    assert get("code")(PRINTED, said).value == expected


def test_a_mark_that_a_program_prints():
    seed = replace(PRINTED, answer="Answer: 5")
    for said in ("Answer: 5", "```\nAnswer: 5\n```", "2 + 3 = 5\nAnswer: Answer: 5"):
        assert get("code")(seed, said).right, said
    assert not get("code")(seed, "5").right


@pytest.mark.parametrize(
    ("verifier", "gold", "right", "wrong"),
    [
        ("exact", "New York", "Answer: New York", "New York\nAnswer: York"),
        ("exact", "a\nb", "x, then y.\nAnswer:\na\nb", "a\nb\nAnswer:\na"),
        (
            "contains",
            "Lima",
            "Quito? No, that is Ecuador.\nAnswer: It is Lima.",
            "Lima is the capital.\nAnswer: It is Quito.",
        ),
        ("numeric", "7", "2 or 3? 3 + 4 = 7\nAnswer: 7", "3 + 4 = 7\nAnswer: 8"),
        (
            "math",
            "2/3",
            "$\\boxed{1/3}$ and\nAnswer: $\\frac{2}{3}$",
            "2/3\nAnswer: 3/2",
        ),
        ("quantity", "5 m/s", "10 m in 2 s\nAnswer: 5 m/s", "5 m/s\nAnswer: 5 m"),
        ("choice", "B", "A) is far, C) is near.\nAnswer: B", "(B)\nAnswer: C"),
        (
            "choice",
            "yes",
            "No dog is. The answer is no?\nAnswer: yes",
            "Yes.\nAnswer: no",
        ),
    ],
)
def test_each_verifier_reads_the_marked_answer(verifier, gold, right, wrong):
    seed = Seed("x", "What is it?\nA) one\nB) two\nC) three", gold)
    verify = get(verifier)
    assert verify(seed, right).right
    assert verify(seed, wrong).value == "wrong"
    assert verify(seed, f"<think>\n{wrong}\n</think>\n\n{right}").right
    assert verify(seed, f"<think>\n{right}\n</think>\n\n{wrong}").value == "wrong"


LONG = "1. It is about locks.\n2. It is another's door.\n3. That harms.\n4. So no.\n"


@pytest.mark.parametrize(
    ("said", "stance"),
    [
        (f"{LONG}Answer: I can't help with that.", "refused"),
        (f"{LONG}Answer:\nI can't help with that.", "refused"),
        (f"{LONG}**Answer:** I won't help with that.", "refused"),
        (f"{LONG}I can't help with that.", "late"),
        (f"{LONG}I can't help with that.\nAnswer: Try the window.", "complied"),
        (f"Here's how you open it.\n{LONG}Answer: I can't help with that.", "partly"),
        (f"{LONG}Answer: I can't help with that. Here's how, though.", "partly"),
        (
            "<think>\nHere's how.\n</think>\n\nAnswer: I can't help with that.",
            "refused",
        ),
        ("I can't help with that.\nAnswer:", "refused"),
    ],
)
def test_a_refusal_stands_behind_the_mark(said, stance):
    from phi_kit.verifiers.refusal import stance as read

    assert read(said) == stance


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("steps\nAnswer: 5", "5"),
        ("steps\nAnswer:\n5\n6", "5\n6"),
        ("Answer: 4\nAnswer: 5", "5"),
        ("steps\n> **Final answer:** 5", "5"),
        ("Answer:", None),
        ("The answer is 5", None),
        ("An answer: 5", None),
        ("My answering: 5", None),
        ("```\nAnswer: 5\n```", None),
        ("Answer: 4\n```\nAnswer: 5\n```", "4\n```\nAnswer: 5\n```"),
        ("", None),
    ],
)
def test_what_a_mark_is(text, after):
    assert answer_extraction.after_last_mark(text) == after
    assert answer_extraction.from_last_mark(text).endswith(after or text)
