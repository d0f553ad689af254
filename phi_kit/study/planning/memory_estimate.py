"""How much memory a QLoRA step takes: one formula, from a model's sizes, term by term.

Counted from transformers' modelling code of Llama and Phi-3. On the embedded model a
token's activations come within 1 % of what autograd keeps; whole runs are compared
with published GPU peaks and with the kernel's own count in the tests.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from phi_kit.models.architecture import ModelSizes
from phi_kit.training.loss import logit_block_bytes

# 4 bits, an 8-bit constant per 64 weights, a float32 per 256 of those constants:
# 4.127 bits a weight (QLoRA, arXiv 2305.14314, section 3). Without double
# quantisation the constant is a float32.
NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)
NF4_ONCE = 0.5 + 4 / 64
FLOAT32, BF16 = 4, 2
# Logits in bf16 and float32, their exponentials, the gradient of either, as in
# transformers' own loss: bytes of a position and a token. fitcheck-llm 0.3.1 (PyPI)
# has the same 16.
LOGIT = 16
# The driver's context, and the share that allocators hold beyond what was asked for.
# On a Tesla T4 0.15 GB, and 14 % in the median of 55 NF4 runs, 6 to 44 % (fitcheck-llm
# 0.3.1, its archive data/measurements); glibc 16 to 25 % in the runs of
# tests/study/planning/peak_run.py. What torch held on an H100 in rows of 8,192 tokens,
# checkpointing, rank 32 (tests/gpu/test_speed.py) was 25 % more than this formula's
# tensors with Phi-4-mini's sizes (7.75 against 6.19 GB) and 21 % with Phi-4's (19.31
# against 16.00): the margin covers both. The margins are kit defaults.
CONTEXT, SLACK = 0.5e9, {"cuda": 0.27, "cpu": 0.2}


@dataclass(frozen=True)
class MicroBatch:
    """One micro-batch, and how it is trained on.

    Attributes:
        tokens: in it.
        rank: of the adapter on every linear layer.
        checkpointing: activations are computed again in the backward pass.
        logits: positions whose logits another loss has at once; the trainer's
            loss takes blocks.
        adapted: weights of the adapter, where not every linear layer has one.
        moments: bytes of the optimiser per adapter weight: 2 in 8 bits, else 8.
        nf4: bytes per packed weight.
        other: bytes per weight that is not packed.
        number: bytes of a number in an activation: 2 in bf16, 4 on most CPUs.
        products: bytes of a number in products with frozen weights.
        dequantized: all packed weights lie beside them as floats, not one layer's.
        padding: positions of attention for each token, where rows are padded.
        device: `cuda` or `cpu`; the allocator's margin depends on it.
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
    products: int = BF16
    dequantized: bool = False
    padding: float = 1.0
    device: str = "cuda"

    @property
    def slack(self) -> float:
        """Share that the allocator holds beyond what was asked for."""
        return SLACK[self.device]

    def on_cpu(self, *, dequantized: bool, products: int = FLOAT32) -> MicroBatch:
        """The same on a CPU, where all but products is computed in float32.

        Args:
            dequantized: as the attribute.
            products: as the attribute.
        """
        return replace(
            self,
            moments=8,
            other=FLOAT32,
            number=FLOAT32,
            products=products,
            dequantized=dequantized,
            device="cpu",
        )


@dataclass(frozen=True)
class MemoryTerms:
    """Bytes by term.

    Adapter: with gradients and optimiser; floats: frozen weights turned to floats.
    """

    weights: float
    adapter: float
    activations: float
    head: float
    floats: float

    @property
    def tensors(self) -> float:
        """What is allocated at the peak."""
        return sum(asdict(self).values())


def activation_numbers(sizes: ModelSizes, micro: MicroBatch) -> float:
    """Numbers of one token that one block keeps for its backward pass.

    Two norms keep their input in float32 and hand on one each; queries, attention's
    output and its copy for the projection; keys and values; gate, up, the activated
    gate and the product (4 inner widths); the low-rank half of each adapter. Where
    attention pads rows, queries, keys, values and its own output lie there padded.
    """
    norms = 2 * sizes.hidden * FLOAT32 / micro.number
    adapters = micro.rank * len(sizes.linear) // sizes.layers
    padded = (micro.padding - 1) * 2 * (sizes.hidden + sizes.kv_width)
    attention = 5 * sizes.hidden + 2 * sizes.kv_width + padded
    return norms + attention + 4 * sizes.intermediate + adapters


def estimate(sizes: ModelSizes, micro: MicroBatch) -> MemoryTerms:
    """The peak of a training step: frozen NF4 weights, a float32 adapter.

    Args:
        sizes: the model's.
        micro: what is trained on at once, and how.
    """
    adapted = sizes.adapter(micro.rank) if micro.adapted is None else micro.adapted
    per_token = block = activation_numbers(sizes, micro)
    if micro.checkpointing:  # every block's input, and one block in full while redone
        per_token += sizes.hidden * sizes.layers
    else:
        per_token = block * sizes.layers
    if micro.logits is None:
        numbers = micro.tokens * sizes.vocabulary
        head = logit_block_bytes(numbers, micro.products, micro.device)
    else:
        head = micro.logits * sizes.vocabulary * LOGIT
    largest = max(inputs * outputs for inputs, outputs in sizes.linear)
    copied = sizes.linear_weights
    if micro.products < micro.number:  # the output layer is copied, too
        copied += sizes.hidden * sizes.vocabulary
    return MemoryTerms(
        weights=sizes.linear_weights * micro.nf4 + sizes.other * micro.other,
        adapter=adapted * (2 * FLOAT32 + micro.moments),
        activations=micro.number * micro.tokens * per_token,
        head=head,
        floats=micro.products * (copied if micro.dequantized else largest),
    )


def total(terms: MemoryTerms, micro: MicroBatch) -> float:
    """What the machine must have, the margin included."""
    return CONTEXT + terms.tensors * (1 + micro.slack)


def added(terms: MemoryTerms, micro: MicroBatch) -> float:
    """What training adds to a model that is loaded already."""
    return (terms.tensors - terms.weights) * (1 + micro.slack)
