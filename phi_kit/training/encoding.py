"""Training rows: what is trained and what is masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from phi_kit.core import thinking
from phi_kit.models.chat_template import Asked, TurnFraming, turn_framing

if TYPE_CHECKING:
    import torch

    from phi_kit.inference.local.model import LocalModel

IGNORE_INDEX = -100  # torch's cross-entropy leaves these targets out


@dataclass(frozen=True)
class TrainingRow:
    """A rendered prompt and the completion to learn.

    `rendered_from` is what the prompt was rendered from, where that is known: the
    gate renders it again as evaluation does.
    """

    prompt: str
    completion: str
    rendered_from: Asked | None = None

    @property
    def thinking(self) -> bool:
        """Whether the model is asked to think first."""
        return self.rendered_from is not None and self.rendered_from.thinking


@dataclass(frozen=True)
class EncodedRow:
    """Token ids of a row, and its targets: `IGNORE_INDEX` over the prompt."""

    ids: list[int]
    labels: list[int]

    @property
    def trained(self) -> int:
        """How many tokens the loss sees."""
        return sum(label != IGNORE_INDEX for label in self.labels)


def completion_after(framing: TurnFraming, response: str) -> str:
    """What a model has to write so that its turn says a response.

    Where the template has opened a thought (DeepSeek-R1), the response's own opening
    tag is left out; a response without a thought closes that one, empty, before it
    begins. Anywhere else the completion is the response.

    Args:
        framing: how the template frames the turn in the row's way of asking.
        response: the whole response; a thought stands in its tags.
    """
    opened = framing.thought
    if not opened or not thinking.unpaired(opened + response):
        return response  # it may also be a sample that went on in the open thought
    tail = framing.opening.rpartition(opened)[2]
    if led := thinking.led_by(response):
        thought, solution = led
        return f"{thought.removeprefix(tail)}{thinking.closing(opened)}{solution}"
    blank = "\n" * (2 - tail.count("\n"))
    return f"{blank}{thinking.closing(opened)}\n\n{response}"


def encode(student: LocalModel, row: TrainingRow) -> EncodedRow:
    """Prompt masked, completion and end-of-turn trained.

    The token that closes a turn in the model's own template is appended as an id,
    never as text, so that a template cannot lose it: a model that never sees it
    never stops. It need not be the tokenizer's EOS.
    """
    tokenizer = student.tokenizer
    framing = turn_framing(tokenizer, thinking=row.thinking)
    return _encoded(tokenizer, framing.end, row.prompt, row.completion)


# An arm's rows are encoded for the gate, the ledger and the token budget: once, if
# there are no more than this.
@lru_cache(maxsize=4096)
def _encoded(tokenizer: Any, end: int, prompt: str, completion: str) -> EncodedRow:
    masked = tokenizer(prompt, add_special_tokens=False).input_ids
    answer = [*tokenizer(completion, add_special_tokens=False).input_ids, end]
    return EncodedRow(masked + answer, [IGNORE_INDEX] * len(masked) + answer)


def collate(rows: Sequence[EncodedRow], *, pad: int) -> dict[str, torch.Tensor]:
    """Pad rows on the right to one batch: ids, mask and labels, (rows, width)."""
    import torch

    width = max(len(row.ids) for row in rows)

    def stack(lists: list[list[int]], fill: int) -> torch.Tensor:
        return torch.tensor([item + [fill] * (width - len(item)) for item in lists])

    return {
        "input_ids": stack([row.ids for row in rows], pad),
        "attention_mask": stack([[1] * len(row.ids) for row in rows], 0),
        "labels": stack([row.labels for row in rows], IGNORE_INDEX),
    }
