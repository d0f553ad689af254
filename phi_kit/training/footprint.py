"""How much memory a QLoRA step takes, from a model's sizes alone: term by term.

For a card that is elsewhere, or a model that is not loaded yet; what is loaded is
measured (`estimate`). Counted from transformers' modelling code of Llama and Phi-3.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from phi_kit.models.architecture import ModelSizes

from .loss import logit_block_bytes

# 4 bits, an 8-bit constant per 64 weights, a float32 per 256 of those constants:
# 4.127 bits a weight (QLoRA, arXiv 2305.14314, section 3). Without double
# quantisation the constant is a float32.
NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)
NF4_ONCE = 0.5 + 4 / 64
BF16 = 2
FLOATS = 4 + 4  # an adapter weight and its gradient, in float32
ADAPTER_8BIT = FLOATS + 2  # with the optimiser's two moments in 8 bits
# Logits in bf16 and float32, their exponentials, the gradient of either, as in
# transformers' own loss: bytes of a position and a token. fitcheck-llm 0.3.1 (PyPI)
# has the same 16.
LOGIT = 16
# The driver's context, and what the allocator holds beyond what was asked for: on a
# Tesla T4 0.15 GB, and 14 % in the median of 55 NF4 runs, 6 to 44 % (fitcheck-llm
# 0.3.1, its archive data/measurements). The margin here is the kit's own choice.
CONTEXT, SLACK = 0.5e9, 0.15


@dataclass(frozen=True)
class Micro:
    """One micro-batch, and how it is trained on.

    Attributes:
        tokens: in it.
        rank: of the adapter on every linear layer.
        checkpointing: activations are computed again in the backward pass.
        logits: positions whose logits another loss has at once; the kit's own
            takes blocks.
        adapted: weights of the adapter, where not every linear layer has one.
        moments: bytes of the optimiser per adapter weight: 2 in 8 bits, else 8.
        nf4: bytes per packed weight.
        other: bytes per weight that is not packed.
        number: bytes of a number in an activation: 2 in bf16, 4 on most CPUs.
    """

    tokens: int
    rank: int = 16
    checkpointing: bool = False
    logits: int | None = None
    adapted: int | None = None
    moments: int = 2
    nf4: float = NF4
    other: int = BF16
    number: int = BF16


@dataclass(frozen=True)
class Memory:
    """Bytes by term.

    Attributes:
        weights: of the frozen model.
        adapter: weights and gradients in float32, and the optimiser's moments.
        activations: what is kept for the backward pass.
        head: logits and their gradient.
        unpacked: the largest layer as floats, for its product.
    """

    weights: float
    adapter: float
    activations: float
    head: float
    unpacked: float

    @property
    def tensors(self) -> float:
        """What is allocated at the peak."""
        return sum(asdict(self).values())

    @property
    def total(self) -> float:
        """What the card must have, the margin included."""
        return CONTEXT + self.tensors * (1 + SLACK)


def kept(shape: ModelSizes, rank: int) -> int:
    """Numbers of one token that one block keeps for its backward pass.

    Two norms keep their input in float32, which counts twice (4 widths), and hand on
    one each (2); queries, attention's output and its copy for the projection (3); keys
    and values; gate, up, the activated gate and the product (4 inner widths); and the
    low-rank half of each adapter.
    """
    adapters = rank * len(shape.linear) // shape.layers
    return 9 * shape.hidden + 2 * shape.kv_width + 4 * shape.intermediate + adapters


def footprint(shape: ModelSizes, micro: Micro) -> Memory:
    """The peak of a training step: frozen NF4 weights, a float32 adapter.

    Args:
        shape: the model's sizes.
        micro: what is trained on at once, and how.
    """
    adapted = micro.adapted
    if adapted is None:
        adapted = shape.adapter(micro.rank)
    block = kept(shape, micro.rank)
    if micro.checkpointing:
        # The input of every block, and one block in full while it is redone.
        per_token = shape.hidden * shape.layers + block
    else:
        per_token = block * shape.layers
    if micro.logits is None:
        head = logit_block_bytes(micro.tokens * shape.vocabulary, micro.number)
    else:
        head = micro.logits * shape.vocabulary * LOGIT
    return Memory(
        weights=shape.linear_weights * micro.nf4 + shape.other * micro.other,
        adapter=adapted * (FLOATS + micro.moments),
        activations=micro.number * micro.tokens * per_token,
        head=head,
        unpacked=micro.number * max(one * other for one, other in shape.linear),
    )
