"""What Phi-4-reasoning's authors published: a scale to look at, no comparison.

These are figures of a 14B model, fully fine-tuned on 1.4M rows, on benchmarks
that the kit does not run. They show how large such gains were there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

NOTE = (
    "Figures of a 14B model on other benchmarks, as its authors printed them: a scale "
    "to look at, no comparison with this run. Phi-4-reasoning is supervised "
    "fine-tuning only; -plus adds reinforcement learning. Report and card differ by "
    "about a point, so each row names the one it is from."
)
SOURCES = {
    "card": "https://huggingface.co/microsoft/Phi-4-reasoning",
    "report": "https://arxiv.org/abs/2504.21318",
}


@dataclass(frozen=True)
class Published:
    """One row of the published table; accuracies in percent.

    Args:
        benchmark: its name.
        phi4_reasoning: the supervised model.
        plus: the same with reinforcement learning.
        compared_with: the models its authors set beside it.
        source: the model card, or the technical report (`SOURCES` has both).
    """

    benchmark: str
    phi4_reasoning: float
    plus: float
    compared_with: tuple[tuple[str, float], ...]
    source: Literal["card", "report"]

    @property
    def others(self) -> str:
        """The models compared with, in words."""
        return "; ".join(f"{name} {value:.1f}" for name, value in self.compared_with)


_LLAMA = "DeepSeek-R1-Distill-Llama-70B"

TABLE: tuple[Published, ...] = (
    Published("AIME 2024", 75.3, 81.3, (("o1-mini", 63.6),), "card"),
    Published("AIME 2025", 62.9, 78.0, ((_LLAMA, 51.5), ("DeepSeek-R1", 70.4)), "card"),
    Published(
        "OmniMath", 76.6, 81.9, ((_LLAMA, 63.4), ("Claude-3.7-Sonnet", 54.6)), "card"
    ),
    Published("GPQA-Diamond", 65.8, 68.9, (("o1-mini", 60.0),), "card"),
    Published("LiveCodeBench 8/24-1/25", 53.8, 53.1, ((_LLAMA, 57.5),), "report"),
    Published(
        "IFEval strict", 83.4, 84.9, (("Phi-4", 62.3), ("GPT-4o", 81.8)), "report"
    ),
    Published("HumanEval+", 92.9, 92.3, (("Phi-4", 83.5),), "report"),
)


def frame() -> pd.DataFrame:
    """The table for a notebook: benchmark, both models, others, source."""
    return pd.DataFrame(
        {
            "benchmark": row.benchmark,
            "Phi-4-reasoning (14B)": row.phi4_reasoning,
            "-plus": row.plus,
            "compared with": row.others,
            "source": row.source,
        }
        for row in TABLE
    )
