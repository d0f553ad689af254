"""pass@k as an `evaluate` metric."""

from collections.abc import Sequence

import datasets
import evaluate

from phi_kit.evaluation.metrics import scores

_DESCRIPTION = "Chance that at least one of k samples of an item is right."
_CITATION = """
@article{chen2021evaluating,
  title={Evaluating Large Language Models Trained on Code},
  author={Mark Chen and others},
  journal={arXiv preprint arXiv:2107.03374},
  year={2021}
}
"""
_KWARGS = """
Args:
    predictions (list of list of bool): for each item whether its samples are right.
    k (list of int): how many samples one may choose from; 1 if not given.

Returns:
    pass@k (float) for each k: the mean over items of the unbiased estimator.
"""


class PassAtK(evaluate.Metric):
    """The unbiased estimator of arXiv:2107.03374, averaged over items."""

    def _info(self) -> evaluate.MetricInfo:
        right = datasets.Sequence(datasets.Value("bool"))
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_KWARGS,
            features=datasets.Features({"predictions": right}),
        )

    def _compute(
        self, predictions: list[list[bool]], k: Sequence[int] = (1,)
    ) -> dict[str, float]:
        means = {}
        for chosen in k:
            chances = [
                scores.pass_at_k(len(right), sum(map(bool, right)), chosen)
                for right in predictions
            ]
            means[f"pass@{chosen}"] = sum(chances) / len(chances)
        return means
