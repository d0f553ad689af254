"""The formulas of the metrics, shared by the steps and the `evaluate` modules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import ceil, nan, prod

from phi_kit.data.records import Seed
from phi_kit.verifiers import exact


def exact_match(prediction: str, reference: str) -> bool:
    """Whether a response is the reference: the kit's verifier `exact`."""
    return exact.verify(Seed("", "", reference), prediction).right


def pass_rate(right: Sequence[bool]) -> float:
    """Share of an item's samples that are right; NaN without samples."""
    return sum(map(bool, right)) / len(right) if len(right) else nan


def pass_at_k(n: int, right: int, k: int) -> float:
    """Chance that at least one of k samples is right, from n samples of an item.

    The unbiased estimator 1 - C(n - right, k) / C(n, k) of Chen et al. 2021
    (arXiv:2107.03374, equation 1), as a product that cannot overflow.

    Args:
        n: samples drawn of the item.
        right: how many of them are right.
        k: how many samples one may choose from.

    Raises:
        ValueError: fewer than k samples were drawn, or the counts do not fit.
    """
    if not 0 <= right <= n or not 1 <= k <= n:
        raise ValueError(f"pass@{k} needs 1 <= k <= n and right <= n: {right} of {n}")
    if n - right < k:
        return 1.0
    return 1.0 - prod(1.0 - k / i for i in range(n - right + 1, n + 1))


def g_pass_at_k(n: int, right: int, k: int, share: float) -> float:
    """Chance that at least a share of k samples is right, from n samples of an item.

    G-Pass@k of Liu et al. 2024 (arXiv:2412.13147), a hypergeometric tail:
    share 1 asks that all k are right, a share of at most 1/k is pass@k.

    Args:
        n: samples drawn of the item.
        right: how many of them are right.
        k: how many samples are looked at.
        share: of the k that has to be right, above 0 and up to 1.

    Raises:
        ValueError: fewer than k samples were drawn, or the counts do not fit.
    """
    from scipy.stats import hypergeom

    if not 0 <= right <= n or not 1 <= k <= n:
        raise ValueError(f"G-pass@{k} needs 1 <= k <= n and right <= n: {right} of {n}")
    if not 0 < share <= 1:
        raise ValueError(f"a share lies above 0 and up to 1, not at {share}")
    least = ceil(share * k - 1e-9)  # .6 of 5 is 3 whatever the floats say
    return float(hypergeom.sf(least - 1, n, right, k))


def mean_g_pass_at_k(n: int, right: int, k: int) -> float:
    """G-Pass@k averaged over shares above one half (mG-Pass@k there)."""
    half = ceil(0.5 * k)
    shares = [i / k for i in range(half + 1, k + 1)]
    return 2 / k * sum(g_pass_at_k(n, right, k, share) for share in shares)


def majority(answers: Sequence[str]) -> str:
    """The most frequent readable answer; the first seen wins a tie."""
    votes = Counter(answer for answer in answers if answer)
    return votes.most_common(1)[0][0] if votes else ""


def maj_at_k(answers: Sequence[str], right: Sequence[bool]) -> float:
    """1 if the most frequent answer of an item's samples is right, else 0.

    Args:
        answers: what was read from each sample; empty where nothing was.
        right: whether each sample is right. Samples with one answer share a
            verdict; that of the first counts.
    """
    winner = majority(answers)
    return float(bool(winner) and bool(right[list(answers).index(winner)]))
