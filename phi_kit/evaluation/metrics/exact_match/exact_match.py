"""Exact match as an `evaluate` metric."""

import datasets
import evaluate

from phi_kit.evaluation.metrics import scores

_DESCRIPTION = "Share of responses that are the reference answer, text by text."
_KWARGS = """
Args:
    predictions (list of str): responses as a model wrote them.
    references (list of str): the gold answers.

Returns:
    exact_match (float): between 0 and 1.
"""


class ExactMatch(evaluate.Metric):
    """Text equality but for case, spaces and what surrounds an answer."""

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_KWARGS,
            features=datasets.Features({"predictions": text, "references": text}),
        )

    def _compute(
        self, predictions: list[str], references: list[str]
    ) -> dict[str, float]:
        equal = list(map(scores.exact_match, predictions, references))
        return {"exact_match": scores.pass_rate(equal)}
