"""Training rows: what is trained and what is masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from phi_kit.models.chat_template import turn_framing

if TYPE_CHECKING:
    import torch

    from phi_kit.inference.local.model import LocalModel

IGNORE_INDEX = -100  # torch's cross-entropy leaves these targets out


@dataclass(frozen=True)
class TrainingRow:
    """A rendered prompt and the completion to learn.

    `rendered_from` is the prompt's instruction and question, where they are known:
    the gate renders them again as evaluation does.
    """

    prompt: str
    completion: str
    rendered_from: tuple[str, str] | None = None


@dataclass(frozen=True)
class EncodedRow:
    """Token ids of a row, and its targets: `IGNORE_INDEX` over the prompt."""

    ids: list[int]
    labels: list[int]

    @property
    def trained(self) -> int:
        """How many tokens the loss sees."""
        return sum(label != IGNORE_INDEX for label in self.labels)


def encode(student: LocalModel, row: TrainingRow) -> EncodedRow:
    """Prompt masked, completion and end-of-turn trained.

    The token that closes a turn in the model's own template is appended as an id,
    never as text, so that a template cannot lose it: a model that never sees it
    never stops. It need not be the tokenizer's EOS.
    """
    tokenizer = student.tokenizer
    return _encoded(tokenizer, turn_framing(tokenizer).end, row.prompt, row.completion)


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
