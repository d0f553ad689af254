"""How likely a model finds given texts: their mean log-probability.

A text is scored by a sampler of its own, whose samples have no tokens and carry the
log-probability, so that the ledger, its leases and a replay treat a score as they
treat a sample: it is computed once and never again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from phi_kit.core.errors import RunError
from phi_kit.core.sample_counts import count_samples, record_scores
from phi_kit.models.chat_template import turn_framing
from phi_kit.models.shortage import is_out_of_memory

from .draw import draw
from .local.decoding_weights import weights_for_decoding
from .local.model import LocalModel
from .pooled_model import PooledModel
from .types import Completion, Sampler, SampleRequest, SamplingParams
from .work_units import work_units

if TYPE_CHECKING:
    import torch

VERSION = 1  # of the way of scoring: another one, other scores
# Tokens of texts scored together, padding included. On two cores 512 and 1,024 took a
# tenth less than 2,048; fewer on a GPU would leave it idle.
BATCH_TOKENS = {"cpu": 1024, "cuda": 8192}
# Numbers in the logits of one forward pass: 256 MB in float32.
MAX_LOGITS = 1 << 26
_ONCE = SamplingParams(max_tokens=0, temperature=1.0)


def mean_logprobs(
    sampler: Sampler, texts: Sequence[tuple[str, str]], *, label: str = "scoring"
) -> list[float]:
    """The mean log-probability of each completion after its prompt.

    The end of the turn is one of the completion's tokens: what a row would train.

    Args:
        sampler: who is asked; one that shows no weights, as an endpoint, knows none.
        texts: rendered prompts with what follows them.
        label: of the progress line.

    Returns:
        Natural logarithms at temperature 1, NaN from a model without weights.

    Raises:
        RunError: the ledger fails, memory does not suffice, or a replay has no such
            score.
    """
    if not isinstance(sampler, LocalModel):
        return [math.nan] * len(texts)
    prompts = [json.dumps(text, ensure_ascii=False) for text in texts]
    with count_samples() as counts:
        drawn = draw(TextScorer(sampler), prompts, _ONCE, label=label)
    record_scores(counts)
    return [score.logprob for (score,) in drawn]


class ScoredText(NamedTuple):
    """Token ids of a text, and how many of them are scored, the last ones."""

    ids: list[int]
    scored: int


@dataclass(frozen=True)
class TextScorer:
    """A local model that scores texts. A `Sampler`; its prompts are JSON pairs."""

    local: LocalModel

    @property
    def name(self) -> str:
        """The model's, and what it is used for."""
        return f"{self.local.name} (scoring)"

    @property
    def identity(self) -> str:
        """The model's, and how it scores."""
        own = self.local.identity
        return f"{own} score/{VERSION}" if own else ""

    @property
    def recorded(self) -> bool:
        """Whether the model is from a replay: then scores are only looked up."""
        return getattr(self.local, "recorded", False)

    def render(self, instruction: str, prompt: str, **how: Any) -> str:
        """As the model itself."""
        return self.local.render(instruction, prompt, **how)

    def stream(
        self, requests: Sequence[SampleRequest], sampling: SamplingParams
    ) -> Iterator[tuple[int, Completion]]:
        """Score the texts; yields (index in `requests`, score) batch by batch.

        Raises:
            RunError: memory does not suffice for one text, or the model's logits are
                not finite.
        """
        if isinstance(self.local, PooledModel):
            yield from self.local.stream_by(TextScorer, requests, sampling)
            return
        units = work_units(len(requests), self.local.model.device.type)
        with weights_for_decoding(self.local.model):
            for unit in units:
                for number, score in self._unit(requests[unit.start : unit.stop]):
                    yield unit[number], Completion("", 0, "stop", round(score, 6))

    def _unit(self, requests: Sequence[SampleRequest]) -> Iterator[tuple[int, float]]:
        """The scores of a unit, with their indices in it, batch by batch."""
        texts = [self._encoded(*json.loads(request.prompt)) for request in requests]
        # Prompts of one length together: logits are wanted only behind them.
        order = sorted(
            range(len(texts)),
            key=lambda i: (len(texts[i].ids) - texts[i].scored, len(texts[i].ids)),
        )
        for batch in self._batches(order, texts):
            scores = self._scores([texts[index] for index in batch])
            yield from zip(batch, scores, strict=True)

    def _encoded(self, prompt: str, completion: str) -> ScoredText:
        """The token ids that a training row of this text has."""
        tokenizer = self.local.tokenizer
        before, after = (
            tokenizer(text, add_special_tokens=False).input_ids
            for text in (prompt, completion)
        )
        ids = [*before, *after, turn_framing(tokenizer).end]
        return ScoredText(ids, len(after) + 1)

    def _batches(
        self, order: Sequence[int], texts: Sequence[ScoredText]
    ) -> Iterator[list[int]]:
        """Neighbours of `order`, as many as fit."""
        vocabulary = self.local.model.config.get_text_config().vocab_size
        device = self.local.model.device.type
        limit = BATCH_TOKENS.get(device, BATCH_TOKENS["cpu"])
        batch: list[int] = []
        for index in order:
            more = [texts[i] for i in (*batch, index)]
            width = max(len(text.ids) for text in more)
            positions = width - _first_logit(more)
            tokens = len(more) * width
            logits = len(more) * positions * vocabulary
            if batch and (tokens > limit or logits > MAX_LOGITS):
                yield batch
                batch = []
            batch.append(index)
        if batch:
            yield batch

    def _scores(self, texts: Sequence[ScoredText]) -> list[float]:
        """The scores of a batch; out of memory, of each half of it."""
        import torch

        try:
            with torch.inference_mode():
                scores = _mean_logprobs(self.local, texts)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if len(texts) == 1:
                raise RunError(
                    f"a text of {len(texts[0].ids)} tokens does not fit into memory",
                    where=self.local.name,
                    todo="lower the limit of tokens of a response, or free memory",
                ) from error
            half = len(texts) // 2
            return self._scores(texts[:half]) + self._scores(texts[half:])
        if not all(map(math.isfinite, scores)):
            raise RunError(
                f"{self.local.name} gives logits that are not finite",
                todo="the weights are damaged, or their precision is too low",
            )
        return scores


def _first_logit(texts: Sequence[ScoredText]) -> int:
    """The first position whose logits are about a scored token."""
    return min(len(text.ids) - text.scored for text in texts) - 1


def _mean_logprobs(local: LocalModel, texts: Sequence[ScoredText]) -> list[float]:
    """Padded on the right, where a causal model never looks."""
    import torch

    model, width = local.model, max(len(text.ids) for text in texts)
    pad = local.tokenizer.pad_token_id or 0
    ids = torch.tensor([t.ids + [pad] * (width - len(t.ids)) for t in texts])
    mask = torch.tensor([[1] * len(t.ids) + [0] * (width - len(t.ids)) for t in texts])
    ids, mask = ids.to(model.device), mask.to(model.device)
    first = _first_logit(texts)
    logprobs = torch.cat(list(_token_logprobs(model, ids, mask, first)), dim=1)
    scores = []
    for row, text in zip(logprobs, texts, strict=True):
        # The logits at a token are about the next one.
        end = len(text.ids) - 1 - first
        scores.append(row[end - text.scored : end].mean().item())
    return scores


def _token_logprobs(
    model: Any, ids: torch.Tensor, mask: torch.Tensor, first: int
) -> Iterator[torch.Tensor]:
    """Log-probabilities of the tokens behind `first`, in pieces (rows, positions).

    A text whose logits are too many for one pass is read in several, with the keys
    and values of those before.
    """
    import torch

    vocabulary = model.config.get_text_config().vocab_size
    step = max(1, MAX_LOGITS // (len(ids) * vocabulary))
    width, shared = ids.shape[1], _shared_prefix(ids, first)
    cache = _read_once(model, ids, shared) if shared else None
    begin = shared if cache is not None else 0
    while begin < width - 1:
        end = min(width - 1, max(begin, first) + step)
        whole = cache is None and end == width - 1
        out = model(
            input_ids=ids[:, begin:end],
            attention_mask=mask[:, :end],
            past_key_values=cache,
            use_cache=not whole,
            logits_to_keep=end - max(begin, first),
        )
        cache = out.past_key_values
        targets = ids[:, max(begin, first) + 1 : end + 1]
        logits = out.logits.float()
        chosen = logits.gather(2, targets[:, :, None])[:, :, 0]
        yield chosen - torch.logsumexp(logits, dim=2)
        begin = end


def _shared_prefix(ids: torch.Tensor, most: int) -> int:
    """How many tokens all rows begin with, `most` at most: an instruction's."""
    if len(ids) == 1 or most <= 0:
        return 0
    same = (ids[:, :most] == ids[:1, :most]).all(dim=0)
    return int(same.cumprod(0).sum())


def _read_once(model: Any, ids: torch.Tensor, length: int) -> Any:
    """The keys and values of what all rows begin with, for each row."""
    from .local.engine import attends_to_all  # imports torch

    config = model.config.get_text_config()
    if not attends_to_all(config, ids.shape[1]):
        return None
    cache = model(ids[:1, :length], use_cache=True, logits_to_keep=1).past_key_values
    cache.batch_repeat_interleave(len(ids))
    return cache
