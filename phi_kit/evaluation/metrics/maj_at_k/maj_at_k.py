"""maj@k as an `evaluate` metric."""

import datasets
import evaluate

from phi_kit.evaluation.metrics import scores

_DESCRIPTION = "Share of items whose most frequent answer is right (self-consistency)."
_CITATION = """
@article{wang2022selfconsistency,
  title={Self-Consistency Improves Chain of Thought Reasoning in Language Models},
  author={Xuezhi Wang and others},
  journal={arXiv preprint arXiv:2203.11171},
  year={2022}
}
"""
_KWARGS = """
Args:
    predictions (list of list of str): for each item the answers read from its
        samples; an empty one is no vote.
    references (list of list of bool): whether each of these samples is right.

Returns:
    maj_at_k (float): between 0 and 1.
    per_item (list of float): 1 or 0 for each item.
"""


class MajAtK(evaluate.Metric):
    """Each item counts once, by the plurality of its samples."""

    def _info(self) -> evaluate.MetricInfo:
        answers = datasets.Sequence(datasets.Value("string"))
        right = datasets.Sequence(datasets.Value("bool"))
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_KWARGS,
            features=datasets.Features({"predictions": answers, "references": right}),
        )

    def _compute(
        self, predictions: list[list[str]], references: list[list[bool]]
    ) -> dict[str, float | list[float]]:
        items = list(map(scores.maj_at_k, predictions, references))
        return {"maj_at_k": sum(items) / len(items), "per_item": items}
