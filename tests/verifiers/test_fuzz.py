"""Whatever a model may write, no verifier raises or changes its mind."""

from __future__ import annotations

import json

import pytest

from phi_kit import verifiers
from phi_kit.core.rng import rng
from phi_kit.data.records import Seed
from phi_kit.verifiers import llm_judge

N = [500, pytest.param(10_000, marks=pytest.mark.slow)]
PIECES = (
    *("\\boxed{", "}", "{", "$", "$$", "\\(", "\\frac{1}{0}", "\\text{", "**", "```"),
    *("<think>", "</think>", "<reasoning>", "[THINK]", "◁/think▷", "<|channel|>final"),
    *("<|channel|>analysis<|message|>", "<|end|>", "<answer>", "</answer>", "<", ">"),
    *("Answer:", "the answer is", "### Final Answer\n", "####", "答案是", "정답은"),
    *('{"answer": "', '"}', "{'answer':", "\n", "\n\n", " ", "\t", "\r\n", "\0"),
    *("\ud800", "yes", "no", "Yes.", "No, ", "true", "A", "B", "(C)", "D.", "or", "a"),
    *("not", "and", "[16]", "Ответ:"),
    *("Rome", "Paris", "Option B is correct.", "I can't help with that.", "I'm sorry"),
    *("5", "-3", "1/2", "1e400", "9" * 300, "²", "½", "٣", "12 m/s", "+", "="),
    *("%", "?"),
    *("\u202e", "\u200b", "é", "e\u0301", "😀", "。", "，", "Ⅳ", "\\", "_", "^", "''"),
    *("def f(x):\n    return x", "print(1)", "[U, D, L]", "1 2\n3 4", "Move disk 1"),
)  # fmt: skip
GOLDS = ("B", "5", "yes", "Rome", "x + 1", "12 m/s", "refuse", "print(1)", "", "…", "2")
EXTRAS = (
    {},
    {"choices": ["Paris", "Rome", "Berlin", "a car"]},
    {"choices": {"1": "5", "2": "no", "3": None}},
    {"choices": {"text": ["x", "y"], "label": ["A", "B"]}, "answer_is": "index0"},
    {"should_refuse": True},
    {"tolerance": 0.01, "unit": "m/s"},
)


def responses(n):
    for number in range(n):
        draw = rng(7, "fuzz", number)
        size = int(draw.integers(0, 24))
        picks = draw.integers(0, len(PIECES), size)
        text = "".join(PIECES[i] for i in picks)
        yield number, text if draw.random() < 0.9 else text * 20


@pytest.mark.parametrize("n", N)
@pytest.mark.parametrize("name", verifiers.names())
def test_every_verifier_has_one_verdict_for_anything(name, n):
    if name == "judge":
        replies = ("", "{}", '{"met": {"agrees": true, "commits": true}}', "<think>{")
        verifier = llm_judge.Judge(
            lambda prompt: replies[len(prompt) % 4], llm_judge.Rubric(anchors=())
        )
    else:
        verifier = verifiers.get(name)
    # A sandbox for each response that is a program: what it says it prints is cheap.
    golds = ("5", "", "…") if name == "code" else GOLDS
    for number, text in responses(n):
        gold, extra = golds[number % len(golds)], EXTRAS[number % len(EXTRAS)]
        seed = Seed("fuzz", "What?", gold, extra=json.dumps(extra))
        first, second = verifier(seed, text), verifier(seed, text)
        assert first == second, (gold, extra, text)
        assert {first.value, first.lenient} <= {"right", "wrong", "unknown"}
        assert isinstance(first.extracted, str)
