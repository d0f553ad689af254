"""Training rows: what is trained, what is masked, and the gate before a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phi_kit.core.errors import DataError

if TYPE_CHECKING:
    import torch

    from phi_kit.models.loading import Student

IGNORE = -100  # torch's cross-entropy leaves these targets out


@dataclass(frozen=True)
class Row:
    """A rendered prompt and the completion to learn."""

    prompt: str
    completion: str


@dataclass(frozen=True)
class Encoded:
    """Token ids of a row, and its targets: `IGNORE` over the prompt."""

    ids: list[int]
    labels: list[int]

    @property
    def trained(self) -> int:
        """How many tokens the loss sees."""
        return sum(label != IGNORE for label in self.labels)


def encode(student: Student, row: Row) -> Encoded:
    """Prompt masked, completion and end-of-turn trained.

    The end-of-turn token is appended as an id, never as text, so that a
    template cannot lose it; a model that never sees it never stops.
    """
    prompt = student.tokenizer(row.prompt, add_special_tokens=False).input_ids
    answer = student.tokenizer(row.completion, add_special_tokens=False).input_ids
    answer = [*answer, student.tokenizer.eos_token_id]
    return Encoded(prompt + answer, [IGNORE] * len(prompt) + answer)


def gate(student: Student, rows: Sequence[Row], *, max_tokens: int) -> list[Encoded]:
    """Encode the rows of a run, or refuse the run.

    Rows longer than `max_tokens` are left out, never cut: a cut answer teaches
    to stop in the middle. The caller sees them as the difference in length.

    Raises:
        DataError: a row trains nothing or no end of turn, or no row is short
            enough. The row is shown.
    """
    tokenizer = student.tokenizer
    kept = []
    for number, row in enumerate(rows):
        encoded = encode(student, row)
        if not row.completion.strip():
            raise DataError(
                "a training row has no completion",
                where=f"row {number}: {row.prompt[-200:]!r}",
                todo="look at the step that wrote it; an empty answer is no seed",
            )
        if encoded.labels[-1] not in student.stop_ids:
            raise DataError(
                "the last trained token does not end the turn",
                where=f"row {number}: {tokenizer.decode(encoded.ids[-8:])!r}",
                todo="check eos_token in the model's tokenizer_config.json",
            )
        if len(encoded.ids) <= max_tokens:
            kept.append(encoded)
    if not kept:
        raise DataError(
            f"none of {len(rows)} training rows fits into {max_tokens} tokens",
            todo="raise max_row_tokens, or collect shorter seeds",
        )
    return kept


def collate(rows: Sequence[Encoded], *, pad: int) -> dict[str, torch.Tensor]:
    """Pad rows on the right to one batch: ids, mask and labels, (rows, width)."""
    import torch

    width = max(len(row.ids) for row in rows)

    def stack(lists: list[list[int]], fill: int) -> torch.Tensor:
        return torch.tensor([item + [fill] * (width - len(item)) for item in lists])

    return {
        "input_ids": stack([row.ids for row in rows], pad),
        "attention_mask": stack([[1] * len(row.ids) for row in rows], 0),
        "labels": stack([row.labels for row in rows], IGNORE),
    }
