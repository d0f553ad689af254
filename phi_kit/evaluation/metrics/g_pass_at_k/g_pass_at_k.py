"""G-Pass@k as an `evaluate` metric."""

from collections.abc import Sequence

import datasets
import evaluate

from phi_kit.evaluation.metrics import scores

_DESCRIPTION = "Chance that at least a share of k samples of an item is right."
_CITATION = """
@article{liu2024stable,
  title={Are Your LLMs Capable of Stable Reasoning?},
  author={Junnan Liu and others},
  journal={arXiv preprint arXiv:2412.13147},
  year={2024}
}
"""
_KWARGS = """
Args:
    predictions (list of list of bool): for each item whether its samples are right.
    k (int): how many samples are looked at; all of the shortest item if not given.
    shares (list of float): which of them have to be right; .5 and 1 if not given.

Returns:
    g_pass@k_share (float) for each share, the mean over items; and their mean over all
    shares above one half, mg_pass@k.
"""


class GPassAtK(evaluate.Metric):
    """How steadily items are solved (arXiv:2412.13147), averaged over items."""

    def _info(self) -> evaluate.MetricInfo:
        right = datasets.Sequence(datasets.Value("bool"))
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_KWARGS,
            features=datasets.Features({"predictions": right}),
        )

    def _compute(
        self,
        predictions: list[list[bool]],
        k: int | None = None,
        shares: Sequence[float] = (0.5, 1.0),
    ) -> dict[str, float]:
        counts = [(len(right), sum(map(bool, right))) for right in predictions]
        many = k or min(n for n, _ in counts)
        means = {
            f"g_pass@{many}_{share:g}": sum(
                scores.g_pass_at_k(n, right, many, share) for n, right in counts
            )
            / len(counts)
            for share in shares
        }
        steady = sum(scores.mean_g_pass_at_k(n, right, many) for n, right in counts)
        return means | {f"mg_pass@{many}": steady / len(counts)}
