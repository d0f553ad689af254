"""What a comparison will be able to say, before it is run.

All of it is about the mean of paired differences over `n` items, in the normal
approximation: a two-sided test of no difference, or two one-sided tests against a
margin. The spread of one item's difference follows from how often two answers to it
disagree, or is measured on dev.
"""

from __future__ import annotations

from math import ceil, sqrt

from .comparison import LEVEL
from .items_needed import POWER

# How often base and a tuned model disagree on an item where nothing is known yet: in
# the kit's own quickstart .2 to .8, between two adapters .1 to .3 (kit default).
DISCORDANCE = 0.2


def paired_sd(discordance: float, delta: float = 0.0) -> float:
    """Standard deviation of one item's paired difference of single answers.

    The difference is -1, 0 or 1 with mean `delta`, and not 0 with probability
    `discordance`: its variance is `discordance - delta ** 2`.

    Raises:
        ValueError: no such difference is possible.
    """
    if not abs(delta) <= discordance <= 1:
        raise ValueError(
            f"a mean of {delta} needs a discordance from {abs(delta)} to 1, "
            f"not {discordance}"
        )
    return sqrt(discordance - delta**2)


def standard_error(
    n: int, sd: float, *, run_sd: float = 0.0, runs: int = 1, samples: int = 1
) -> float:
    """Standard error of a mean gain over items and training runs.

    Args:
        n: items.
        sd: of one item's difference.
        run_sd: standard deviation of the gain from one training run to the next.
        runs: training runs, with random seeds of their own.
        samples: of each item; taken as independent, so a lower bound of the error.
    """
    return sqrt(sd**2 / (n * samples) + run_sd**2 / runs)


def gain_power(
    delta: float, error: float, *, level: float = LEVEL, margin: float = 0.0
) -> float:
    """Chance that a two-sided test finds a true gain of `delta`.

    Source: as `statsmodels.stats.power.normal_power` with both tails.

    Args:
        delta: the true gain.
        error: its standard error.
        level: of the test.
        margin: how far from 0 the interval has to lie.
    """
    from scipy.stats import norm

    z = norm.ppf(1 - level / 2)
    above = norm.sf(z - (delta - margin) / error)
    below = norm.cdf(-z - (delta + margin) / error)
    return float(above + below)


def minimum_detectable(
    error: float, *, level: float = LEVEL, power: float = POWER
) -> float:
    """The smallest true gain that is found with the given power.

    Source: E. Miller, Adding Error Bars to Evals (arXiv:2411.00640), section 5; with
    100 items and a discordance of .2, 12.5 points.
    """
    from scipy.stats import norm

    return float((norm.ppf(1 - level / 2) + norm.ppf(power)) * error)


def items_for_gain(
    delta: float, discordance: float, *, level: float = LEVEL, power: float = POWER
) -> int:
    """Items on which a gain of `delta` is found with the given power.

    Source: Miller (arXiv:2411.00640), section 5, for one answer an item; 5 points at
    a discordance of .2 take 621.
    """
    reach = minimum_detectable(paired_sd(discordance, delta), level=level, power=power)
    return ceil((reach / delta) ** 2)


def equivalence_power(margin: float, error: float, *, level: float = LEVEL) -> float:
    """Chance to show that two equals are equal within the margin.

    Source: K. F. Phillips (1990), Journal of Pharmacokinetics and Biopharmaceutics
    18:137, for a known standard error.
    """
    from scipy.stats import norm

    return float(max(0.0, 2 * norm.cdf(margin / error - norm.ppf(1 - level)) - 1))


def items_for_equivalence(
    margin: float, discordance: float, *, level: float = LEVEL, power: float = POWER
) -> int:
    """Items on which two equals are shown to be equal within the margin.

    Source: S.-C. Chow, J. Shao, H. Wang, Sample Size Calculations in Clinical
    Research, section 3.1.3; 5 points at a discordance of .2 take 686.
    """
    from scipy.stats import norm

    z = norm.ppf(1 - level) + norm.ppf(1 - (1 - power) / 2)
    return ceil((z * paired_sd(discordance) / margin) ** 2)


def foreseen(
    n: int, *, margin: float, discordance: float = DISCORDANCE, level: float = LEVEL
) -> str:
    """What `n` items with an answer each will be able to say, in a sentence.

    Args:
        n: items.
        margin: within which two count as equal, in points of 1.
        discordance: share of items on which the two will disagree.
        level: of the tests.
    """
    error = standard_error(n, paired_sd(discordance))
    found = minimum_detectable(error, level=level)
    needed = items_for_equivalence(margin, discordance, level=level)
    equal = (
        f"can show that two are equal within {100 * margin:g} points"
        if n >= needed
        else f"cannot show that two are equal within {100 * margin:g} points, "
        f"which takes {needed:,}"
    )
    return (
        f"{n:,} items, where the two disagree on {discordance:.0%}: 4 of 5 true gains "
        f"of {100 * found:.1f} points are found; that {equal}"
    )
