"""Before and after training are answers of one model."""

from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest
from families import FAMILIES, student_of

from phi_kit import domains
from phi_kit.core import thinking
from phi_kit.data.records import Seed
from phi_kit.evaluation.ask import ask, base_answers, training_rows
from phi_kit.inference.types import Completion, SamplingParams
from phi_kit.training.encoding import IGNORE_INDEX, encode
from phi_kit.training.preflight import gate

DEV = [Seed("math", f"What is {n} + 1?", str(n + 1), family="sum-1") for n in range(3)]
RECORDED = pd.DataFrame({"seed_id": [seed.id for seed in DEV], "verdict": "right"})


def card(model):
    asked = {"max_tokens": 4, "temperature": 0.6, "samples": 2, "rng_seed": 7}
    return SimpleNamespace(
        manifest={"params": {"model": model, **asked}}, table=lambda name: RECORDED
    )


def test_what_step_1_heard_of_this_model_is_not_asked_again(tiny, monkeypatch):
    monkeypatch.setattr(tiny.model, "forward", None)
    found = base_answers(card(tiny.name), tiny, domains.get("math"), DEV)
    assert found is RECORDED


@pytest.mark.parametrize("other", ["http://localhost:1/v1#m", "another-model"])
def test_another_models_answers_are_no_base(tiny, other):
    found = base_answers(card(other), tiny, domains.get("math"), DEV)
    assert found.seed_id.tolist() == [seed.id for seed in DEV for _ in range(2)]
    assert (found.tokens <= 4).all()


# --- training rows in a family's own way, in every style ---------------------------

RESPONSES = {
    "answer": "3000004",
    "steps": "Four more.\n3000000 + 4 = 3000004\nAnswer: 3000004",
    "think": "<think>\nFour more than 3000000.\n</think>\n\nAnswer: 3000004",
}
# The whole turn of the model, from its first word on: what training must leave.
EMPTY = {
    "qwen3": "<think>\n\n</think>\n\n",
    "smollm3": "<think>\n\n</think>\n",
    "deepseek-v3.1": "<think></think>",
    "deepseek-r1": "<think>\n\n</think>\n\n",
}
TURN = {"gemma-2": "model\n", "gemma-3": "model\n", "phi-4-mini": "<|assistant|>"}
TURN |= dict.fromkeys(["phi-4", "phi-4-reasoning"], "assistant<|im_sep|>")
TURN |= dict.fromkeys(["llama-3", "llama-3.2"], "assistant<|end_header_id|>\n\n")
TURN |= dict.fromkeys(["deepseek-r1", "deepseek-v3.1"], "<｜Assistant｜>")
SEED = Seed("math", "What is 3000000 + 4?", "3000004", family="sum-1")


@pytest.mark.slow
@pytest.mark.parametrize("style", RESPONSES)
@pytest.mark.parametrize("name", [*FAMILIES, "smollm2"])
def test_a_family_is_trained_as_it_is_asked(name, style):
    student = student_of(name)
    domain = replace(domains.get("math"), style=style)
    (row,) = training_rows(student, domain, [(SEED, RESPONSES[style])])
    assert row.prompt == domain.asked(SEED).rendered(student.render)
    (passed,) = gate(student, [row], max_tokens=5000)
    assert passed == encode(student, row)

    text = student.tokenizer.decode(passed.ids)
    turn = text.rpartition(TURN.get(name, "assistant\n"))[2]
    empty = "" if style == "think" else EMPTY.get(name, "")
    end = student.tokenizer.decode(passed.ids[-1:])
    assert turn == f"{empty}{RESPONSES[style]}{end}"
    trained = [label for label in passed.labels if label != IGNORE_INDEX]
    said = student.tokenizer.decode(trained[:-1])
    assert domain.verifier(SEED, said).right
    assert thinking.visible(said) == thinking.visible(RESPONSES[style])


def test_a_sample_that_went_on_in_the_open_thought_is_trained_as_it_is():
    student = student_of("deepseek-r1")
    domain = replace(domains.get("math"), style="think")
    said = "Four more.\n</think>\n\nAnswer: 3000004"
    (row,) = training_rows(student, domain, [(SEED, said)])
    assert row.completion == said
    assert len(gate(student, [row], max_tokens=5000)) == 1


def test_what_stands_in_a_thought_that_the_prompt_opened_is_no_answer():
    student = student_of("deepseek-r1")
    domain = replace(domains.get("math"), style="think")

    def verdicts(text):
        model = Saying(student, text)
        how = {"sampling": SamplingParams(9), "k": 1, "rng_seed": 1, "label": "x"}
        return ask(model, domain, [SEED], **how).verdict.tolist()

    assert verdicts("It is 4 more, so\nAnswer: 3000004") == ["wrong"]
    assert verdicts("It is 8.\n</think>\n\nAnswer: 3000004") == ["right"]
    assert verdicts("Answer: 3000004\n</think>\n\nAnswer: 8") == ["wrong"]


class Saying:
    """A model with a family's template that always says the same."""

    name, identity = "saying", "saying"

    def __init__(self, student, text):
        self.render, self.text = student.render, text

    def stream(self, asked, sampling):
        for place, _ in enumerate(asked):
            yield place, Completion(self.text, 5, "length")
