"""Each reader over every form it knows: a right answer, a near miss, an unreadable one.

Of one form three responses are made, and each must get its verdict.
"""

from __future__ import annotations

import itertools
import json

import pytest

from phi_kit import domains, verifiers
from phi_kit.core.rng import rng
from phi_kit.data.generators import generate_items
from phi_kit.data.records import Seed

from . import perturbations
from .test_answer_extraction import ANNOUNCED

N = [300, pytest.param(5000, marks=pytest.mark.slow)]
THOUGHTS = ("{}", "<think>B, or 17?</think>{}", "perhaps 99</think>\n{}",
            "<|channel|>analysis<|message|>A?<|end|><|channel|>final<|message|>{}",
            "[THINK]No.[/THINK]\n\n{}", "◁think▷hm◁/think▷{}")  # fmt: skip
LABELLED = (
    *(form for form in ANNOUNCED if "{{" not in form or '"answer"' in form),
    "{}", " {} \n", "({})", "**{}**", "{}.", "[{}]", "`{}`", "$\\boxed{{{}}}$",
    "\\boxed{{\\text{{({})}}}}", "Option {} is correct.", "{} is the correct answer.",
    "The correct option is ({}).", "Some steps.\n\n{}", "Some steps.\n**({})**",
    "I choose {}.", "故选{}。", "选{}", "We get \\boxed{{E = mc^2}}.\n\nAnswer: {}",
    "Rome is old. Therefore, {}.", "My choice is {}.", "{}\n\nBecause it fits.",
)  # fmt: skip
OPTIONS = ("red", "a blue car", "12", "Paris", "the sun", "x + 1", "New York", "no")
GARBAGE = ("I cannot tell.", "Certainly a hard one", "none of these", "", "?", "…")


def verdict(name, gold, response, extra=None):
    seed = Seed("forms", "", gold, extra=json.dumps(extra or {}))
    return verifiers.get(name)(seed, response)


def draws(label, *pools):
    """Endless combinations of the pools' members, each drawn by its own hash."""
    for number in itertools.count():
        draw = rng(7, label, number)
        yield [pool[int(draw.integers(len(pool)))] for pool in pools]


@pytest.mark.parametrize("n", N)
def test_choice(n):
    labels = ("ABCD", "ABCDE", "ABCDEFGH", "1234")
    for thought, form, keys, place in itertools.islice(
        draws("choice", THOUGHTS, LABELLED, labels, range(4)), n
    ):
        shown = dict(zip(keys, OPTIONS[: len(keys)], strict=True))
        extra = {"choices": shown, "answer_is": "letter"}
        gold, other = keys[place], keys[place - 1]
        right, wrong = (thought.format(form.format(key)) for key in (gold, other))
        assert verdict("choice", gold, right, extra).right, (gold, right)
        found = verdict("choice", gold, wrong, extra)
        assert (found.value, found.extracted) == ("wrong", other), (gold, wrong)
        for said in (form.format("Q"), form.format(f"{gold} or {other}")):
            found = verdict("choice", gold, thought.format(said), extra)
            assert found.unparsed, (gold, said, found)


@pytest.mark.parametrize("n", N)
def test_choice_by_text(n):
    for thought, form, place in itertools.islice(
        draws("by text", THOUGHTS, ANNOUNCED, range(len(OPTIONS))), n
    ):
        extra = {"choices": list(OPTIONS)}
        gold, right, wrong = "ABCDEFGH"[place], OPTIONS[place], OPTIONS[place - 1]
        assert verdict("choice", gold, thought.format(form.format(right)), extra).right
        found = verdict("choice", gold, thought.format(form.format(wrong)), extra)
        assert found.value == "wrong", (form, wrong)
        assert not found.unparsed, (form, wrong)


WORDED = (
    *ANNOUNCED, "{}", "{}.", "**{}**", "{}!", "{}, because it follows.", "{} - surely.",
    "{} — no exceptions.", "Is it yes or no? {}.", "True or false? {}", "So, {}.",
    "It follows. {}.", "Hence the statement is {}.", "{}: see above.", "{}\nAs shown.",
)  # fmt: skip


@pytest.mark.parametrize("n", N)
def test_words(n):
    pairs = (("yes", "no"), ("No", "Yes"), ("True", "false"), ("false", "TRUE"))
    for thought, form, (gold, other) in itertools.islice(
        draws("words", THOUGHTS, WORDED, pairs), n
    ):
        assert verdict("choice", gold, thought.format(form.format(gold))).right, form
        wrong = verdict("choice", gold, thought.format(form.format(other)))
        assert wrong.value == "wrong", form
        assert wrong.extracted == other.lower(), form
        said = verdict("choice", gold, thought.format(form.format("perhaps")))
        # A form may hold a word of its own, as in `no exceptions`.
        assert said.value == "wrong", form


GOLDS = ("apple", "Paris", "New York", "blue whale", "CO", "pH", "5²", "_init_", ".5",
         "5'", "x₁", "C++", "St. Louis", "3.5", "Москва", "東京", "été")  # fmt: skip
NEAR = {"CO": "Co", "pH": "PH", "5²": "52", "_init_": "init", ".5": "5", "5'": "5",
        "x₁": "x1", "C++": "C", "3.5": "35", "Москва": "Москве", "東京": "京都",
        "été": "ete", "St. Louis": "St Louis"}  # fmt: skip
EXACTLY = (
    *(form for form in ANNOUNCED if form[:3] not in ("정답은", "答えは")),
    "{}", " {}\n", '"{}"', "“{}”.", "`{}`", "**{}**", "Steps first.\nAnswer: **{}**",
)  # fmt: skip


@pytest.mark.parametrize("n", N)
def test_exact(n):
    for thought, form, gold, which in itertools.islice(
        draws("exact", THOUGHTS, EXACTLY, GOLDS, range(6)), n
    ):
        if "'" in gold and "'{}'" in form:
            continue  # nobody can tell where that text ends
        others = [NEAR[gold]] if gold in NEAR else list(perturbations.texts(gold))
        right = thought.format(form.format(gold))
        wrong = thought.format(form.format(others[which % len(others)]))
        assert verdict("exact", gold, right).right, (gold, right)
        found = verdict("exact", gold, wrong)
        assert found.value == "wrong", (gold, wrong)
        assert not found.unparsed
        for nothing in ("", " \n", "…", "**", "?"):
            assert verdict("exact", gold, thought.format(nothing)).unparsed


SAID = (
    "{}", "It is {}.", "The answer to that is {}.", "I would say {}, of course.",
    "**{}** it is.", "That was {}; not the other one.", "“{}”", "Answer: it is {}.",
    "The first one isn't right; it's {}.", "Is it old? Yes, and it is {}.",
    "Long ago.\n\nSo they chose {}", "We know it: {}!", "Not here, but {} fits.",
)  # fmt: skip
UNSAID = (
    "It is not {}.", "It isn't {}.", "{} or something else", "Either this or {}.",
    "Is it {}?", "Anything but this, never {}.", "{} is wrong.", "{} {}",
    "one thing, {}, another", "x{}x", "this rather than {}", "{}/other",
)  # fmt: skip


@pytest.mark.parametrize("n", N)
def test_contains(n):
    golds = [gold for gold in GOLDS if gold.isascii() and gold not in (".5", "5'")]
    for thought, form, no, gold, which in itertools.islice(
        draws("contains", THOUGHTS, SAID, UNSAID, golds, range(6)), n
    ):
        # What a near miss may hold: the gold with a doubt, and shorter golds.
        others = [o for o in perturbations.texts(gold) if gold not in o]
        others = [NEAR[gold]] if gold in NEAR else others
        wrong = form.format(others[which % len(others)])
        assert verdict("contains", gold, thought.format(form.format(gold))).right, form
        assert verdict("contains", gold, thought.format(wrong)).value == "wrong", wrong
        unsaid = no.replace("{}", gold)
        found = verdict("contains", gold, thought.format(unsaid))
        assert found.value == "wrong", (gold, unsaid)
        assert verdict("contains", gold, thought.format("…")).unparsed


@pytest.mark.parametrize("n", N)
def test_refusal(n):
    helps, refusals = list(perturbations.helps()), list(perturbations.refusals())
    dresses = ("{}", "**{}**", "> {}", "  {}\n\n", "*{}*")
    for thought, dress, said, refused in itertools.islice(
        draws("refusal", THOUGHTS, dresses, helps, refusals), n
    ):
        for wanted, right, wrong in ((True, refused, said), (False, said, refused)):
            extra = {"should_refuse": wanted}
            response = thought.format(dress.format(right))
            assert verdict("refusal", "", response, extra).right, response
            response = thought.format(dress.format(wrong))
            assert verdict("refusal", "", response, extra).value == "wrong", response
            assert verdict("refusal", "", thought.format("…"), extra).unparsed


SOLVED = (
    "{}", " {} \n", "Answer: {}", "The answer is: {}", "**{}**", "**Answer:** {}",
    "Final Answer: {}", "<answer>{}</answer>", "Some steps.\n\nAnswer: {}", "`{}`",
    "```\n{}\n```", "\\boxed{{{}}}", "答案：{}",
)  # fmt: skip
# Tasks with one answer an item, so that another item's answer is wrong.
PUZZLES = ("backward", "sort", "palindrome", "caesar", "family", "self-reference")


@pytest.mark.parametrize("n", N)
def test_puzzle(n):
    known = {family.name: family for family in domains.get("puzzles").families}
    drawn = {
        name: list(
            itertools.islice(
                generate_items("puzzles", known[name], rng_seed=3, split="forms"), 60
            )
        )
        for name in PUZZLES
    }
    for thought, form, name, place in itertools.islice(
        draws("puzzle", THOUGHTS, SOLVED, PUZZLES, range(60)), n
    ):
        seed, other = drawn[name][place], drawn[name][place - 1]
        judge = verifiers.get("puzzle")
        assert judge(seed, thought.format(form.format(seed.answer))).right, (form, seed)
        if other.answer != seed.answer:
            found = judge(seed, thought.format(form.format(other.answer)))
            assert (found.value, found.unparsed) == ("wrong", False), (form, seed)
        assert judge(seed, thought.format("")).unparsed
        assert judge(seed, thought.format("I cannot tell")).value == "wrong"
