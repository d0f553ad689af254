"""A batch that stays full: rows start and end at any time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from phi_kit.core.errors import RunError
from phi_kit.inference.types import Completion, SampleRequest, SamplingParams

from .kv_cache import SlotKVCache
from .prefill import PrefillBatch, Prefiller
from .token_sampler import sample_tokens

if TYPE_CHECKING:
    from .model import LocalModel

READ = 2048  # prompt tokens read at a time
# New samples enter when so large a part of the rows is free: each entry costs
# a forward pass over prompts and copies. The kit's own choice.
REFILL = 1 / 8


class DecodingRow:
    """A sample on its way: what it has said so far, and its random stream."""

    def __init__(self, place: int, asked: SampleRequest, sampling: SamplingParams):
        self.place = place
        self.tokens: list[int] = []
        self.logprob = 0.0
        draw = np.random.default_rng(asked.seed)
        self.uniforms = draw.random(sampling.max_tokens)

    @property
    def uniform(self) -> float:
        """The number that draws its next token."""
        return self.uniforms[len(self.tokens)]

    def say(self, token: int, logprob: float) -> None:
        """Add its next token."""
        self.tokens.append(token)
        self.logprob += logprob

    def over(self, stops: frozenset[int]) -> bool:
        """Whether its last token ends the turn or reaches the limit."""
        return self.tokens[-1] in stops or len(self.tokens) == len(self.uniforms)


class ContinuousBatch:
    """Samples that decode together, at most `rows` at a time.

    Args:
        student: the model.
        asked: all samples of the draw.
        ids: the token ids of every prompt.
        sampling: token limit and temperature.
        rows: how many decode together.
    """

    def __init__(
        self,
        student: LocalModel,
        asked: Sequence[SampleRequest],
        ids: Mapping[str, list[int]],
        sampling: SamplingParams,
        *,
        rows: int,
    ):
        self.student, self.asked, self.ids = student, asked, ids
        self.sampling, self.limit = sampling, rows
        self.stops = student.stop_ids
        self.rows: list[DecodingRow] = []  # one for each slot in use, in their order
        self.slots: SlotKVCache | None = None
        self.wave: PrefillBatch | None = None
        self.read: deque[tuple[int, int]] = deque()  # (place, prompt of the wave)

    def run(self, places: Sequence[int]) -> Iterator[tuple[int, Completion]]:
        """Decode these places of `asked`, in their order."""
        self.waiting = deque(places)
        with torch.inference_mode():
            pad = self.student.tokenizer.pad_token_id
            self.reader = Prefiller(
                self.student.model, list(self.ids.values()), pad=pad
            )
        while self.rows or self.read or self.waiting:
            # Not around the `yield`: the mode would leak to whoever asks.
            with torch.inference_mode():
                ended = self._admit() if self._roomy() else []
                if self.rows:
                    ended += self._step()
            for row in ended:
                yield row.place, sample_of(self.student, row.tokens, row.logprob)

    def _roomy(self) -> bool:
        free = self.limit - len(self.rows)
        return bool(self.read or self.waiting) and free >= REFILL * self.limit

    def _admit(self) -> list[DecodingRow]:
        """Fill the free slots; gives the samples that end with their first token."""
        ended: list[DecodingRow] = []
        while (free := self.limit - len(self.rows)) and (self.read or self.waiting):
            if not self.read:
                self._read()
            taken = [self.read.popleft() for _ in range(min(free, len(self.read)))]
            which = [prompt for _, prompt in taken]
            lengths = [self.wave.lengths[prompt] for prompt in which]
            first = self.slots.admit(self.wave.layers, which, lengths)
            self.rows += [
                DecodingRow(place, self.asked[place], self.sampling)
                for place, _ in taken
            ]
            ended += self._say(self.wave.logits[which], first=first)
        return ended

    def _read(self) -> None:
        """Read the prompts of the samples that come next."""
        numbers: dict[str, int] = {}
        tokens = 0
        while self.waiting and len(self.read) < self.limit:
            prompt = self.asked[self.waiting[0]].prompt
            if prompt not in numbers:
                tokens += len(self.ids[prompt])
                if numbers and tokens > READ:
                    break
                numbers[prompt] = len(numbers)
            self.read.append((self.waiting.popleft(), numbers[prompt]))
        self.wave = self.reader.read([self.ids[prompt] for prompt in numbers])
        if self.slots is None:
            longest = max(map(len, self.ids.values())) + self.sampling.max_tokens
            self.slots = SlotKVCache(self.wave.layers, rows=self.limit, longest=longest)

    def _step(self) -> list[DecodingRow]:
        """One more token for every row; gives those that end with it."""
        mask, positions = self.slots.open()
        last = torch.tensor([row.tokens[-1] for row in self.rows])
        logits = self.student.model(
            input_ids=last.to(positions.device)[:, None],
            attention_mask=mask,
            position_ids=positions,
            past_key_values=self.slots,
            use_cache=True,
        ).logits[:, -1]
        return self._say(logits, first=0)

    def _say(self, logits: torch.Tensor, *, first: int) -> list[DecodingRow]:
        """Draw a token for the rows from `first` on; rows that end leave."""
        speaking = self.rows[first:]
        uniforms = torch.tensor([row.uniform for row in speaking])
        tokens, logprobs = sample_tokens(
            logits, uniforms.to(logits.device), self.sampling.temperature
        )
        if not logprobs.isfinite().all():
            raise not_finite(self.student)
        for row, token, logprob in zip(
            speaking, tokens.tolist(), logprobs.tolist(), strict=True
        ):
            row.say(token, logprob)
        ended = [slot for slot, row in enumerate(self.rows) if row.over(self.stops)]
        gone = [self.rows[slot] for slot in ended]
        for source, target in self.slots.leave(ended):
            self.rows[target] = self.rows[source]
        del self.rows[self.slots.used :]
        return gone


def sample_of(student: LocalModel, tokens: list[int], logprob: float) -> Completion:
    """The sample these tokens are; `logprob` is their sum."""
    text = student.tokenizer.decode(tokens, skip_special_tokens=True)
    return Completion(
        text.strip(),
        len(tokens),
        "stop" if tokens[-1] in student.stop_ids else "length",
        round(logprob / len(tokens), 4),
    )


def not_finite(student: LocalModel) -> RunError:
    """What to raise when a model no longer gives probabilities."""
    return RunError(
        f"{student.name} gives logits that are not finite",
        todo="the weights or the adapter are damaged, or an adapter was trained "
        "with too high a learning_rate",
    )
