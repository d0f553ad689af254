"""Merge an adapter and compare the merged model with the adapter as it was trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from phi_kit.core.progress import print_status
from phi_kit.models.chat_template import Asked
from phi_kit.models.logit_diff import answer_tokens, token_logprobs
from phi_kit.models.merge import (
    MergedModel,
    TrainedAnswers,
    base_model_name,
    merge_adapter,
)

from . import completion
from .draw import draw
from .types import SamplingParams

COMPARED_TOKENS = 32  # of an answer at most

# Questions that no training set of the kit holds, for an adapter without a study.
QUESTIONS = (
    "What is 17 + 28?",
    "Name three animals that live in the sea.",
    "Is 91 a prime number?",
    "Write a sentence about rain.",
    "What comes after Tuesday?",
    "Translate 'good morning' into French.",
    "Which is heavier, a kilogram of iron or a kilogram of wool?",
    "Sort these numbers: 9, 2, 7, 4.",
    "How many letters are in the word 'banana'?",
    "Why does ice float on water?",
    "Write a Python function that doubles a number.",
    "If all cats sleep and Tom is a cat, does Tom sleep?",
)


def merge_and_compare(
    adapter: Path,
    out: Path,
    *,
    base: str = "",
    asked: Sequence[Asked] = (),
) -> MergedModel:
    """Merge an adapter and write the model; see `models.merge.merge_adapter`.

    Args:
        adapter: a PEFT folder with a plain LoRA adapter.
        out: the new folder, which must not exist.
        base: the model's name; the one the adapter names where not given.
        asked: what it is asked; nothing that it was trained on.

    Raises:
        ModelError: the adapter cannot be merged, the folder is there already, or
            the merged model does not answer as the adapter did.
        RunError: the disk is full.
    """
    base = base or base_model_name(adapter)
    asked = asked or [Asked("Answer the question.", question) for question in QUESTIONS]
    return merge_adapter(
        adapter, out, base=base, ask=lambda: _ask_as_trained(base, adapter, asked)
    )


def _ask_as_trained(base: str, adapter: Path, asked: Sequence[Asked]) -> TrainedAnswers:
    """The adapter's greedy answers beside NF4 weights, and their probabilities."""
    print_status("asking the adapter beside 4-bit weights, as it was trained")
    student = completion.load(base)
    prompts = [question.rendered(student.render) for question in asked]
    greedy = SamplingParams(max_tokens=COMPARED_TOKENS, temperature=0)
    try:
        with student.adapter(adapter) as tuned:
            samples = draw(tuned, prompts, greedy, label="answers to compare")
            answers = [
                answer_tokens(tuned.tokenizer, prompt, sample.text)
                for prompt, (sample,) in zip(prompts, samples, strict=True)
            ]
            return TrainedAnswers(answers, token_logprobs(tuned.model, answers))
    finally:
        del student
        completion.load.cache_clear()  # room for the unquantised weights
