"""Pass rate as an `evaluate` metric."""

import datasets
import evaluate

from phi_kit.evaluation.metrics import scores

_DESCRIPTION = "Mean over items of the share of an item's samples that are right."
_KWARGS = """
Args:
    predictions (list of list of bool): for each item whether its samples are right.

Returns:
    pass_rate (float): between 0 and 1.
    per_item (list of float): the pass rate of each item.
"""


class PassRate(evaluate.Metric):
    """Accuracy where an item may have several samples; also called mean@k."""

    def _info(self) -> evaluate.MetricInfo:
        right = datasets.Sequence(datasets.Value("bool"))
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_KWARGS,
            features=datasets.Features({"predictions": right}),
        )

    def _compute(self, predictions: list[list[bool]]) -> dict[str, float | list[float]]:
        rates = [scores.pass_rate(right) for right in predictions]
        return {"pass_rate": sum(rates) / len(rates), "per_item": rates}
