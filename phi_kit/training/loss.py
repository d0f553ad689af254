"""The loss, with logits only at trained positions.

Most tokens of a training row are masked prompt, and a logit row is as long as
the vocabulary: asking for all of them costs more than the rest of a small model.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from .encoding import IGNORE_INDEX
from .packing import hidden_states

if TYPE_CHECKING:
    import torch

# Numbers in one block of logits: on a CPU 64 MB in float32. A vocabulary of 200,000
# over a long answer would otherwise need gigabytes. On a GPU four sizes were tried, on
# an H100 with Phi-4-mini's sizes and rows of 4,096: blocks of 2^22, 2^24, 2^26 and 2^28
# trained 7,924, 10,817, 11,575 and 10,297 tokens/s.
LOGIT_BLOCK = {"cpu": 1 << 24, "cuda": 1 << 26}


def logit_block_bytes(numbers: int, itemsize: int, device: str) -> int:
    """Memory of a block: in float32, and beside it the model's own where it has less.

    Args:
        numbers: positions times vocabulary; a block has no more than `LOGIT_BLOCK`.
        itemsize: bytes of a number of the model.
        device: `cuda` or `cpu`.
    """
    return min(LOGIT_BLOCK[device], numbers) * (4 if itemsize == 4 else 4 + itemsize)


def masked_loss(model: Any, batch: dict[str, Any], *, count: Any = None) -> Any:
    """Mean cross-entropy over the trained positions of a batch.

    Args:
        model: a PEFT-wrapped causal language model whose head is frozen.
        batch: `input_ids`, `labels` of shape (rows, width), and what the layout
            needs: `attention_mask`, or positions and bounds of rows end to end.
        count: trained tokens in the whole optimiser step, over all its
            micro-batches; the batch's own count when not given.

    Returns:
        A scalar tensor, equal to the loss over all positions.
    """
    labels = batch["labels"][:, 1:]
    keep = labels != IGNORE_INDEX
    states = hidden_states(model, batch)[:, :-1][keep]
    inner = model.get_base_model()
    block = LOGIT_BLOCK[states.device.type]
    rows = max(1, block // inner.config.get_text_config().vocab_size)
    total = _head_loss()(states, labels[keep], _logits(inner), rows)
    return total / (keep.sum() if count is None else count)


def full_logits_loss(model: Any, batch: dict[str, Any], *, count: Any = None) -> Any:
    """The same loss from the model's own logits at all positions."""
    import torch

    inputs = {name: value for name, value in batch.items() if name != "labels"}
    labels = batch["labels"][:, 1:]
    logits = model(**inputs, use_cache=False).logits[:, :-1].float()
    total = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1),
        labels.flatten(),
        ignore_index=IGNORE_INDEX,
        reduction="sum",
    )
    return total / ((labels != IGNORE_INDEX).sum() if count is None else count)


def choose_loss(model: Any) -> Callable[..., Any]:
    """`masked_loss` where it equals this model's loss, else `full_logits_loss`.

    Some families scale their logits in ways of their own; six tokens tell.
    """
    import torch

    size = model.get_base_model().config.get_text_config().vocab_size
    ids = torch.tensor([[(7 * i + 11) % size for i in range(6)]], device=model.device)
    batch = {"input_ids": ids, "labels": ids}
    with torch.no_grad():
        ours, theirs = (
            loss(model, batch).item() for loss in (masked_loss, full_logits_loss)
        )
    return masked_loss if abs(ours - theirs) <= 1e-2 * abs(theirs) else full_logits_loss


def _logits(inner: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    head = inner.get_output_embeddings()
    cap = getattr(inner.config, "final_logit_softcapping", None)

    def logits(states: torch.Tensor) -> torch.Tensor:
        raw = head(states).float()
        # Gemma caps its logits after the head.
        return cap * (raw / cap).tanh() if cap else raw

    return logits


@cache
def _head_loss() -> Callable[..., torch.Tensor]:
    """Head and cross-entropy block by block, with the gradient taken on the way.

    A block's logits become the gradient and are gone before the next block's are
    made (as in Liger Kernel, arXiv 2410.10989, section 3.2, where this is one
    kernel on a GPU). The head itself gets no gradient: it is frozen.
    """
    import torch

    class HeadLoss(torch.autograd.Function):
        @staticmethod
        def forward(ctx, states, targets, logits, rows):
            total, gradients = states.new_zeros((), dtype=torch.float32), []
            wanted = ctx.needs_input_grad[0]
            for start in range(0, len(states), rows):
                part = states[start : start + rows].detach()
                with torch.enable_grad():
                    block = logits(part.requires_grad_(wanted))
                block_targets = targets[start : start + rows, None]
                # In place: arrays of a block's size are large beside the rest of a
                # step, and nothing reads the logits afterwards. (On a CPU
                # `cross_entropy` is off by 1e-5 over a long vocabulary as well.)
                scores = block.detach()
                scores -= scores.amax(dim=-1, keepdim=True)
                total -= scores.gather(1, block_targets).sum()
                sums = scores.exp_().sum(dim=-1, keepdim=True)
                total += sums.log().sum()
                if wanted:
                    scores /= sums
                    scores.scatter_add_(
                        1, block_targets, scores.new_full(block_targets.shape, -1)
                    )
                    gradients += torch.autograd.grad(block, part, scores)
            ctx.save_for_backward(
                torch.cat(gradients) if gradients else states.detach()
            )
            return total

        @staticmethod
        def backward(ctx, upstream):
            (gradients,) = ctx.saved_tensors
            return gradients * upstream, None, None, None

    return HeadLoss.apply
