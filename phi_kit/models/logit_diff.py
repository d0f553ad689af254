"""How far two models differ, token by token, on the same answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from .chat_template import turn_framing

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

# Token ids of a prompt with its answer, and how many of them are the answer's.
AnswerTokens = tuple[list[int], int]


@dataclass(frozen=True)
class Agreement:
    """How closely a model agrees with a reference over `positions` tokens.

    Attributes:
        top1: share of positions at which both find the same token likeliest.
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


def answer_tokens(
    tokenizer: PreTrainedTokenizerBase, prompt: str, answer: str
) -> AnswerTokens:
    """The token ids of a rendered prompt with its answer and the end of the turn."""
    prompt_ids, answer_ids = (
        tokenizer(text, add_special_tokens=False).input_ids for text in (prompt, answer)
    )
    end = turn_framing(tokenizer).end
    return [*prompt_ids, *answer_ids, end], len(answer_ids) + 1


def token_logprobs(model: Any, answers: Sequence[AnswerTokens]) -> list[torch.Tensor]:
    """Log-probabilities of the whole vocabulary at every token of the answers.

    Returns:
        Per answer a tensor (tokens, vocabulary), float32 on the CPU.
    """
    import torch

    logprobs = []
    with torch.inference_mode():
        for ids, length in answers:
            batch = torch.tensor([ids], device=model.device)
            # The logits at a token are about the next one.
            logits = model(batch, logits_to_keep=length + 1).logits[0, :-1]
            logprobs.append(logits.float().log_softmax(dim=-1).cpu())
    return logprobs


def compare(
    reference: Sequence[torch.Tensor],
    other: Sequence[torch.Tensor],
    answers: Sequence[AnswerTokens],
) -> Agreement:
    """How closely two models agree.

    Args:
        reference: `token_logprobs` of one model.
        other: of the other.
        answers: the answers they were computed for.
    """
    import torch

    same, gaps = [], []
    for first, second, (ids, length) in zip(reference, other, answers, strict=True):
        answer = torch.tensor(ids[-length:])[:, None]
        same.append(first.argmax(dim=-1) == second.argmax(dim=-1))
        gaps.append((first.gather(1, answer) - second.gather(1, answer)).abs())
    agreeing, gap = torch.cat(same).float(), torch.cat(gaps)
    return Agreement(
        top1=agreeing.mean().item(),
        max_gap=gap.max().item(),
        mean_gap=gap.mean().item(),
        positions=len(agreeing),
    )
