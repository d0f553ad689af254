"""Scores of texts: those of a plain forward pass, computed once."""

import json
import math
from dataclasses import replace

import pytest
import torch
from samplers import Counting

from phi_kit.core.errors import RunError
from phi_kit.core.sample_counts import count_samples
from phi_kit.inference import scoring
from phi_kit.inference.draw import draw
from phi_kit.inference.local.model import LocalModel
from phi_kit.inference.scoring import TextScorer, mean_logprobs
from phi_kit.models.chat_template import turn_framing

TEXTS = [
    ("What is 3 + 4?", "3 + 4 = 7\nAnswer: 7"),
    ("What is 3 + 4?", "7"),
    ("Count to three, then say what you counted, please. Go on!", "one, two, three"),
    ("Say nothing.", ""),
    ("Write much.", "a word and another word " * 30),
]


def plain(student, prompt, completion):
    """One text, no padding, all logits, log_softmax in double precision."""
    encode = student.tokenizer
    before, after = (
        encode(text, add_special_tokens=False).input_ids
        for text in (prompt, completion)
    )
    ids = [*before, *after, turn_framing(encode).end]
    with torch.inference_mode():
        logits = student.model(torch.tensor([ids])).logits[0].double()
    logprobs = logits.log_softmax(-1)
    chosen = [logprobs[i - 1, ids[i]].item() for i in range(len(before), len(ids))]
    return sum(chosen) / len(chosen)


def rendered(student):
    return [(student.render("Answer.", asked), said) for asked, said in TEXTS]


def test_scores_are_those_of_a_plain_forward_pass(tiny):
    texts = rendered(tiny)
    expected = [plain(tiny, *text) for text in texts]
    assert mean_logprobs(tiny, texts) == pytest.approx(expected, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1, 50_000, 500_000, 3_000_000])
def test_so_they_are_however_little_is_read_at_a_time(tiny, monkeypatch, limit):
    texts = rendered(tiny)
    whole = mean_logprobs(tiny, texts)
    monkeypatch.setattr(scoring, "MAX_LOGITS", limit)
    assert mean_logprobs(tiny, texts) == pytest.approx(whole, abs=1e-4)


def test_out_of_memory_it_goes_on_with_less(tiny, monkeypatch):
    texts = rendered(tiny)
    whole, real = mean_logprobs(tiny, texts), scoring._mean_logprobs

    def short_of_memory(local, some):
        if len(some) > 1:
            raise MemoryError
        return real(local, some)

    monkeypatch.setattr(scoring, "_mean_logprobs", short_of_memory)
    assert mean_logprobs(tiny, texts) == pytest.approx(whole, abs=1e-4)


def test_a_score_is_computed_once(tiny, runs, monkeypatch):
    named = replace(tiny, identity="tiny/float32")
    texts = rendered(named)
    with count_samples() as counts:
        first = mean_logprobs(named, texts)
    assert counts.scores == counts.new_scores == counts.paid == len(texts)
    monkeypatch.setattr(TextScorer, "stream", None)
    with count_samples() as counts:
        assert mean_logprobs(named, [*texts, texts[0]]) == [*first, first[0]]
    assert (counts.from_ledger, counts.paid) == (len(texts) + 1, 0)
    assert (counts.scores, counts.new_scores) == (len(texts) + 1, 0)


def test_scores_are_of_one_model_and_of_one_split_of_the_text(tiny, runs):
    named = replace(tiny, identity="tiny/float32")
    other = replace(tiny, identity="tiny/float64")
    assert TextScorer(named).identity != TextScorer(other).identity
    assert TextScorer(tiny).identity == ""  # nobody could tell it from another
    one, two = mean_logprobs(named, [("ab", "c"), ("a", "bc")])
    assert one != two


class Recorded(LocalModel):
    """Stands in for a model from a replay."""

    recorded = True


def test_a_replay_looks_scores_up_and_invents_none(tiny, runs):
    named = replace(tiny, identity="tiny/float32")
    texts = rendered(named)
    scores = mean_logprobs(named, texts)
    replayed = Recorded(named.name, None, named.tokenizer, named.identity)
    assert mean_logprobs(replayed, texts) == scores
    with pytest.raises(RunError, match="no sample 0 of tiny"):
        mean_logprobs(replayed, [("never", "asked")])
    assert mean_logprobs(replayed, []) == []  # asks nobody, for there is no model


def test_a_model_without_weights_knows_none():
    assert all(map(math.isnan, mean_logprobs(Counting(), [("a", "b")])))


def test_logits_that_are_no_numbers_are_an_error(tiny, monkeypatch):
    monkeypatch.setattr(scoring, "_mean_logprobs", lambda *_: [math.nan])
    with pytest.raises(RunError, match="not finite"):
        mean_logprobs(tiny, [("a", "b")])


def test_a_prompt_is_its_text_as_json(tiny, runs):
    seen = []

    class Seen(TextScorer):
        def stream(self, requests, sampling):
            seen.extend(json.loads(one.prompt) for one in requests)
            return super().stream(requests, sampling)

    draw(Seen(tiny), [json.dumps(["ä", '"b"'])], scoring._ONCE)
    assert seen == [["ä", '"b"']]
