"""Do two models say the same? Token by token, on the same words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from phi_kit.inference.types import SamplingParams, draw

from .turn_framing import turn_framing

if TYPE_CHECKING:
    import torch

    from phi_kit.inference.local.model import LocalModel

# Token ids of a prompt with its answer, and how many of them are the answer's.
AnswerTokens = tuple[list[int], int]

WORDS = 32  # tokens of an answer that are compared at most


@dataclass(frozen=True)
class Agreement:
    """How nearly a model says what a reference says, over `positions` tokens.

    Attributes:
        top1: share of positions at which both think the same token likeliest.
        max_gap: largest difference in log-probability (natural logarithm) of a
            token of the answers.
        mean_gap: the mean of those differences.
        positions: tokens compared.
    """

    top1: float
    max_gap: float
    mean_gap: float
    positions: int

    def as_dict(self) -> dict[str, float]:
        """For a record in JSON."""
        return {name: round(value, 6) for name, value in asdict(self).items()}

    def __str__(self) -> str:
        return (
            f"the likeliest token is the same at {self.top1:.1%} of {self.positions} "
            f"positions; log-probabilities differ by {self.max_gap:.4f} at most, "
            f"{self.mean_gap:.4f} on average"
        )


def answers(student: LocalModel, prompts: Sequence[str]) -> list[AnswerTokens]:
    """What a student says to each prompt, greedily.

    Returns:
        One answer per prompt, the end of the turn included.
    """
    sampling = SamplingParams(max_tokens=WORDS, temperature=0)
    drawn = draw(student, prompts, sampling, label="answers to compare")
    end = turn_framing(student.tokenizer).end
    found = []
    for prompt, (sample,) in zip(prompts, drawn, strict=True):
        parts = [
            student.tokenizer(text, add_special_tokens=False).input_ids
            for text in (prompt, sample.text)
        ]
        found.append(([*parts[0], *parts[1], end], len(parts[1]) + 1))
    return found


def token_logprobs(model: Any, said: Sequence[AnswerTokens]) -> list[torch.Tensor]:
    """Log-probabilities of the whole vocabulary at every token of the answers.

    Returns:
        Per answer a tensor (tokens, vocabulary), float32 on the CPU.
    """
    import torch

    found = []
    with torch.inference_mode():
        for ids, length in said:
            batch = torch.tensor([ids], device=model.device)
            # The logits at a token are about the next one.
            logits = model(batch, logits_to_keep=length + 1).logits[0, :-1]
            found.append(logits.float().log_softmax(dim=-1).cpu())
    return found


def compare(
    reference: Sequence[torch.Tensor],
    other: Sequence[torch.Tensor],
    said: Sequence[AnswerTokens],
) -> Agreement:
    """How nearly two models' opinions agree.

    Args:
        reference: `opinions` of one model.
        other: of the other.
        said: the answers both were asked about.
    """
    import torch

    same, gaps = [], []
    for one, two, (ids, length) in zip(reference, other, said, strict=True):
        answer = torch.tensor(ids[-length:])[:, None]
        same.append(one.argmax(dim=-1) == two.argmax(dim=-1))
        gaps.append((one.gather(1, answer) - two.gather(1, answer)).abs())
    agreeing, gap = torch.cat(same).float(), torch.cat(gaps)
    return Agreement(
        top1=agreeing.mean().item(),
        max_gap=gap.max().item(),
        mean_gap=gap.mean().item(),
        positions=len(agreeing),
    )
